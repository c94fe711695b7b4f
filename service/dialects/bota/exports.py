"""A completed transcript as a file (D): text, subtitles, or JSON with its words and their times."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from adapters.speech.plain_text import plain_text
from adapters.speech.subtitles import subrip, webvtt
from adapters.speech.transcript import Transcript
from service.dialects.bota.requests import query_of
from service.dialects.bota.transcript_document import transcript_document
from service.dialects.http.accept import preferred
from service.dialects.http.json_answers import json_bytes

Format = Literal["txt", "srt", "vtt", "json"]


class TranscriptionRequest(BaseModel):
    """GET /v1/transcriptions/{id} (D). Without a format, Accept chooses: see `format_asked_for`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: Annotated[
        Format | None,
        Field(
            description="The completed transcript as a file. Unless given, by Accept: text/plain, application/x-subrip "
            "or text/vtt; for anything else the answer is the transcription, however far it has come."
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class _Form:
    media_type: str
    charset: str | None
    write: Callable[[Transcript], bytes]


_FORMS: Mapping[Format, _Form] = {
    "txt": _Form("text/plain", "utf-8", lambda transcript: plain_text(transcript).encode()),
    "srt": _Form("application/x-subrip", "utf-8", lambda transcript: subrip(transcript).encode()),
    "vtt": _Form("text/vtt", "utf-8", lambda transcript: webvtt(transcript).encode()),
    "json": _Form("application/json", None, lambda transcript: json_bytes(transcript_document(transcript))),
}

FILE_TYPES = tuple(form.media_type for form in _FORMS.values() if form.media_type != "application/json")
"""What a transcript is served as, besides JSON."""

_BY_ACCEPT: Mapping[str, Format | None] = {
    "application/json": None,
    "text/plain": "txt",
    "application/x-subrip": "srt",
    "application/srt": "srt",
    "text/srt": "srt",
    "text/vtt": "vtt",
}


def format_asked_for(request: web.Request) -> Format | None:
    """The query's format, or else the one that Accept prefers; None for Bota's transcription object.

    A client that accepts none of these also gets Bota's object, not a 406: Bota's clients never had to send a matching
    Accept. Raises: InvalidRequest.
    """
    asked = query_of(TranscriptionRequest, request.query).format
    if asked is not None:
        return asked
    media_type = preferred(request.headers.getall("Accept", []), list(_BY_ACCEPT))
    return _BY_ACCEPT[media_type] if media_type else None


async def exported(transcript: Transcript, form: Format, *, name: str) -> web.Response:
    """The file, for a browser to show and to save as `name` with the format's extension."""
    body = await asyncio.to_thread(_FORMS[form].write, transcript)  # an hour's subtitles take half a second
    return web.Response(
        body=body,
        content_type=_FORMS[form].media_type,
        charset=_FORMS[form].charset,
        headers={
            "Content-Disposition": f'inline; filename="{name}.{form}"',
            "X-Content-Type-Options": "nosniff",
        },
    )
