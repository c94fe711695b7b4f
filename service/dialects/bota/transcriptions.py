"""Bota's transcriptions (P). Each recording gets one automatically: creating one returns that, or in another language
has it made anew."""

import asyncio
from uuid import UUID

from aiohttp import web

from adapters.keys import Key
from adapters.speech.port import UnsupportedLanguage
from adapters.summary_pages import Listed, Order, Page, PageQuery, Place
from domain.errors import RecordingNotFound
from domain.summary import RecordingSummary
from service.application.callers import Callers
from service.application.queries import Queries
from service.application.transcription_requests import TranscriptionRequests
from service.dialects.bota import access
from service.dialects.bota.answers import ListAnswer, TranscriptionAnswer
from service.dialects.bota.errors import TranscriptionNotFound, not_uploaded
from service.dialects.bota.exports import Format, exported, format_asked_for
from service.dialects.bota.identifiers import public_transcription_id, recording_id_of, recording_id_of_transcription
from service.dialects.bota.large_transcripts import LargeTranscripts
from service.dialects.bota.paging import TranscriptionsPageRequest, cursor_of, place_of
from service.dialects.bota.requests import (
    CreateTranscription,
    InvalidRequest,
    TranscribeRecording,
    parse,
    query_of,
)
from service.dialects.bota.view import View
from service.dialects.http.json_answers import json_answer, json_bytes
from service.dialects.http.limits import Limits

LARGEST_PAGE_BYTES = 900_000
"""Clients refuse answers of more than one mebibyte; a page ends before it is that large."""


class Transcriptions:
    """The handlers."""

    def __init__(self, queries: Queries, requests: TranscriptionRequests, callers: Callers, limits: Limits) -> None:
        self._requests = requests
        self._callers = callers
        self._limits = limits
        self._view = View(queries)
        self._large = LargeTranscripts()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/v1/transcriptions", self.create)
        router.add_post("/v1/recordings/{recording_id}/transcribe", self.transcribe)
        router.add_get("/v1/transcriptions", self.transcriptions)
        router.add_get("/v1/transcriptions/{transcription_id}", self.transcription)

    async def create(self, request: web.Request) -> web.Response:
        """201 with the transcription of a recording whose upload is complete, however far it has come."""
        key = await access.permitted(request, self._callers, access.WRITE_TRANSCRIPTIONS)
        asked = parse(CreateTranscription, await self._limits.json_body(request))
        return await self._create(key, asked.recording_id, asked)

    async def transcribe(self, request: web.Request) -> web.Response:
        """The same, in its older spelling."""
        key = await access.permitted(request, self._callers, access.WRITE_TRANSCRIPTIONS)
        asked = parse(TranscribeRecording, await self._limits.json_body(request) or b"{}")
        return await self._create(key, request.match_info["recording_id"], asked)

    async def _create(self, key: Key, public_id: str, asked: TranscribeRecording) -> web.Response:
        recording_id = recording_id_of(public_id)
        summary = await self._view.summary(key, recording_id)
        if summary.finalized_at is None:
            raise not_uploaded(summary)
        if asked.language is not None or asked.provider is not None:
            try:
                await self._requests.request(recording_id, language=asked.language, provider=asked.provider)
            except UnsupportedLanguage as error:
                raise InvalidRequest("language", str(error)) from None
            summary = await self._view.summary(key, recording_id)
        async with self._large.turn(summary):
            answer = await self._view.transcription_answer(recording_id, summary)
            return await asyncio.to_thread(json_answer, answer, status=201)

    async def transcription(self, request: web.Request) -> web.Response:
        """The transcription as Bota's object, however far it has come; or, once it is completed, as a file (D)."""
        key = await access.permitted(request, self._callers, access.READ_TRANSCRIPTIONS)
        form = format_asked_for(request)
        try:
            recording_id = recording_id_of_transcription(request.match_info["transcription_id"])
            summary = await self._view.summary(key, recording_id)
            if summary.finalized_at is None:
                raise TranscriptionNotFound
            async with self._large.turn(summary):
                answer = await self._answer(recording_id, summary, form)
        except RecordingNotFound:
            raise TranscriptionNotFound from None
        answer.headers["Vary"] = "Accept"
        return answer

    async def transcriptions(self, request: web.Request) -> web.Response:
        """A page of the project's transcriptions, newest first; or the one of a recording."""
        key = await access.permitted(request, self._callers, access.READ_TRANSCRIPTIONS)
        asked = query_of(TranscriptionsPageRequest, request.query)
        after = place_of(Order.FINALIZED, asked.cursor)
        page = await (
            self._page(key, asked.limit, after) if asked.recording_id is None else self._only(key, asked.recording_id)
        )
        shown, next_after = await self._that_fit(page)
        next_cursor = cursor_of(Order.FINALIZED, next_after)
        answer = ListAnswer[TranscriptionAnswer](data=shown, has_more=next_cursor is not None, next_cursor=next_cursor)
        return await asyncio.to_thread(json_answer, answer)

    async def _that_fit(self, page: Page) -> tuple[list[TranscriptionAnswer], Place | None]:
        """A page's first answers, at least one, as long as they stay below the largest size; and where it ends, if
        there is more."""
        shown: list[TranscriptionAnswer] = []
        size_bytes, before = 0, None
        for row in page.rows:
            async with self._large.turn(row.summary):
                answer = await self._if_there(row)
                size_bytes += await asyncio.to_thread(_size_bytes, answer) if answer is not None else 0
            if answer is not None:
                if shown and size_bytes > LARGEST_PAGE_BYTES:
                    return shown, before
                shown.append(answer)
            before = Place(row.summary.finalized_at or row.summary.created_at, row.recording_id)
        return shown, page.next_after

    async def _answer(self, recording_id: UUID, summary: RecordingSummary, form: Format | None) -> web.Response:
        if form is None:
            return await asyncio.to_thread(json_answer, await self._view.transcription_answer(recording_id, summary))
        transcript = await self._view.transcript(summary)
        return await exported(transcript, form, name=public_transcription_id(recording_id))

    async def _page(self, key: Key, limit: int, after: Place | None) -> Page:
        return await self._view.page(
            PageQuery(tenant_id=key.project_id, limit=limit, order=Order.FINALIZED, after=after)
        )

    async def _only(self, key: Key, public_id: str) -> Page:
        """The transcription of one recording; an empty page if it is unknown or another project's."""
        try:
            recording_id = recording_id_of(public_id)
            summary = await self._view.summary(key, recording_id)
        except RecordingNotFound:
            return Page([], None)
        return Page([Listed(recording_id, summary)] if summary.finalized_at else [], None)

    async def _if_there(self, row: Listed) -> TranscriptionAnswer | None:
        try:
            return await self._view.transcription_answer(row.recording_id, row.summary)
        except RecordingNotFound:  # deleted since the row was read
            return None


def _size_bytes(answer: TranscriptionAnswer) -> int:
    return len(json_bytes(answer))
