"""Answers searches in the words of Bota's API."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from uuid import UUID

from aiohttp import web

from domain.errors import RecordingNotFound
from service.application.callers import Callers
from service.application.searching import Found, SearchQuery, TranscriptSearch
from service.dialects.bota import access
from service.dialects.bota.identifiers import public_recording_id, public_transcription_id, recording_id_of
from service.dialects.bota.requests import parse
from service.dialects.bota.search.messages import LONGEST_SPEAKER, SearchAnswer, SearchRecordings, SearchResultAnswer
from service.dialects.http.json_answers import json_answer, utc_text
from service.dialects.http.limits import Limits


class Search:
    """The handler."""

    def __init__(self, search: TranscriptSearch, callers: Callers, limits: Limits) -> None:
        self._search = search
        self._callers = callers
        self._limits = limits

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/v1/recordings/search", self.search)

    async def search(self, request: web.Request) -> web.Response:
        """Passages of the key's project only; an unknown end user or recording matches nothing (D)."""
        key = await access.permitted(request, self._callers, access.READ_RECORDINGS)
        asked = parse(SearchRecordings, await self._limits.json_body(request))
        among = None if asked.recording_ids is None else tuple(_known(asked.recording_ids))
        query = SearchQuery(key.project_id, asked.end_user_id, asked.query, asked.limit, among)
        return json_answer(SearchAnswer(results=[_result(found) for found in await self._search.search(query)]))


def _known(public_ids: Sequence[str]) -> Iterator[UUID]:
    for public_id in public_ids:
        with suppress(RecordingNotFound):  # not one of ours
            yield recording_id_of(public_id)


def _result(found: Found) -> SearchResultAnswer:
    passage = found.passage
    return SearchResultAnswer(
        chunk_id=_chunk_id(found),
        recording_id=public_recording_id(found.recording_id),
        transcription_id=public_transcription_id(found.recording_id),
        chunk_text=passage.text,
        speaker=passage.speaker[:LONGEST_SPEAKER] if passage.speaker else None,
        start_ms=passage.start_ms,
        end_ms=passage.end_ms,
        recorded_at=utc_text(found.summary.recorded_at or found.summary.started_at),
        score=found.score,
    )


def _chunk_id(found: Found) -> str:
    """The same as long as the recording has this transcript (D)."""
    name = b"%s %s %d" % (found.recording_id.bytes, found.transcript_sha256.encode(), found.place)
    return f"chk_{blake2b(name, digest_size=16).hexdigest()}"
