"""Bota's reading side: recordings and their history; and retrying a failed stage."""

import asyncio
from collections.abc import Mapping
from uuid import UUID

from aiohttp import web

from adapters.event_log.mapper import RecordedEvent
from adapters.keys import Key
from adapters.summary_pages import Order, PageQuery
from domain.summary import Standing
from service.application.callers import Callers
from service.application.lifecycle import Lifecycle
from service.application.progress import Pace, progress_of
from service.application.queries import Queries
from service.dialects.bota import access
from service.dialects.bota.answers import (
    HistoryAnswer,
    HistoryEntryAnswer,
    ListAnswer,
    ProgressAnswer,
    RecordingAnswer,
)
from service.dialects.bota.identifiers import recording_id_of
from service.dialects.bota.paging import (
    HistoryPageRequest,
    RecordingRequest,
    RecordingsPageRequest,
    cursor_of,
    cursor_of_version,
    place_of,
    version_of,
)
from service.dialects.bota.requests import InvalidRequest, query_of
from service.dialects.bota.view import View
from service.dialects.http.json_answers import json_answer, utc_text

CONTENT_FIELDS = {"blob_key", "details_key"}
"""Fields of an event that say where we keep something: not for outsiders."""

IN_WORK = frozenset({Standing.OPEN, Standing.FINALIZED, Standing.STITCHED})
"""How a recording stands as long as its words are not all recognized."""

PIECE_RECORDINGS = 5
"""What clients say of each may be a quarter of a megabyte, so that a page is written a few at a time."""


class Reading:
    """The handlers."""

    def __init__(self, queries: Queries, lifecycle: Lifecycle, callers: Callers, pace: Pace) -> None:
        self._queries = queries
        self._pace = pace
        self._lifecycle = lifecycle
        self._callers = callers
        self._view = View(queries)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/recordings", self.recordings)
        router.add_get("/v1/recordings/{recording_id}", self.recording)
        router.add_delete("/v1/recordings/{recording_id}", self.delete)
        router.add_get("/v1/recordings/{recording_id}/events", self.events)
        router.add_post("/v1/recordings/{recording_id}/retry", self.retry)

    async def recordings(self, request: web.Request) -> web.Response:
        """A page of the project's recordings, newest first (P); or those that a Dragon client gave these ids (D)."""
        key = await access.permitted(request, self._callers, access.READ_RECORDINGS)
        asked = query_of(RecordingsPageRequest, _in_snake_case(request.query))
        if asked.cursor is not None and asked.offset is not None:
            raise InvalidRequest("offset", "A cursor and an offset exclude each other.")
        if asked.recording_id is not None and asked.correlation_id is None:
            raise InvalidRequest("recording_id", "It needs the correlation_id within which it is a number.")
        page = await self._view.page(
            PageQuery(
                tenant_id=key.project_id,
                limit=asked.limit,
                device_id=asked.device_id,
                end_user_id=asked.end_user_id,
                status=asked.status,
                external_group=asked.correlation_id,
                external_id=_external_id(asked),
                after=place_of(Order.CREATED, asked.cursor),
                offset=asked.offset or 0,
            )
        )
        found = await asyncio.gather(*(self._view.recording_answer(row.recording_id, row.summary) for row in page.rows))
        next_cursor = cursor_of(Order.CREATED, page.next_after)
        answer = ListAnswer[RecordingAnswer](data=found, has_more=next_cursor is not None, next_cursor=next_cursor)
        return await asyncio.to_thread(json_answer, answer, piece_items=PIECE_RECORDINGS)

    async def recording(self, request: web.Request) -> web.Response:
        """As it stands; or (D) as it stood after one of its events, which may be any that GET …/events has."""
        key = await access.permitted(request, self._callers, access.READ_RECORDINGS)
        public_id, version = request.match_info["recording_id"], query_of(RecordingRequest, request.query).version
        if version is None:
            return await self._recording_answer(key, public_id)
        return await self._earlier_answer(key, recording_id_of(public_id), version)

    async def _earlier_answer(self, key: Key, recording_id: UUID, version: int) -> web.Response:
        """Of a recording that there is still: what was deleted is not told of any more."""
        await self._view.summary(key, recording_id)
        summary = await self._queries.summary_at(recording_id, version)
        answer = await self._view.recording_answer(recording_id, summary)
        return json_answer(answer.model_copy(update={"version": version}))

    async def _recording_answer(self, key: Key, public_id: str, *, status: int = 200) -> web.Response:
        recording_id = recording_id_of(public_id)
        summary = await self._view.summary(key, recording_id)
        answer = await self._view.recording_answer(recording_id, summary)
        if summary.standing in IN_WORK:
            answer = answer.model_copy(update={"progress": await self._progress(recording_id)})
        return json_answer(answer, status=status)

    async def _progress(self, recording_id: UUID) -> ProgressAnswer | None:
        """None as long as nothing is known of it, as while a recording that nobody has listened to is uploaded."""
        progress = progress_of(await self._queries.newest(recording_id), self._pace)
        if progress.audio_ms is None and not progress.recognized_ms:
            return None
        return ProgressAnswer(
            audio_ms=progress.audio_ms, recognized_ms=progress.recognized_ms, ready_at=utc_text(progress.ready_at)
        )

    async def events(self, request: web.Request) -> web.Response:
        """A page of the history (D), one fact after another, without the fields that only we need to find the
        content."""
        key = await access.permitted(request, self._callers, access.READ_RECORDINGS)
        asked = query_of(HistoryPageRequest, request.query)
        recording_id = recording_id_of(request.match_info["recording_id"])
        after = version_of(asked.cursor)
        await self._view.summary(key, recording_id)
        found = await self._queries.history(recording_id, after_version=after, limit=asked.limit + 1)
        entries = [_event_answer(recorded) for recorded in found[: asked.limit]]
        has_more = len(found) > asked.limit
        next_cursor = cursor_of_version(entries[-1].version) if has_more else None
        return json_answer(HistoryAnswer(data=entries, has_more=has_more, next_cursor=next_cursor))

    async def retry(self, request: web.Request) -> web.Response:
        """Try a failed stage again (D); 202 with the recording."""
        key = await access.permitted(request, self._callers, access.WRITE_RECORDINGS)
        public_id = request.match_info["recording_id"]
        recording_id = recording_id_of(public_id)
        await self._view.summary(key, recording_id)
        await self._lifecycle.retry(recording_id)
        return await self._recording_answer(key, public_id, status=202)

    async def delete(self, request: web.Request) -> web.Response:
        """The recording is gone before this answers; its bytes are erased right after (P)."""
        key = await access.permitted(request, self._callers, access.WRITE_RECORDINGS)
        recording_id = recording_id_of(request.match_info["recording_id"])
        await self._view.summary(key, recording_id)
        await self._lifecycle.delete(recording_id)
        return web.Response(status=204)


def _in_snake_case(query: Mapping[str, str]) -> Mapping[str, str]:
    """Dragon's ids may also be given in Dragon's own spelling."""
    spellings = {"correlationId": "correlation_id", "recordingId": "recording_id"}
    return {spellings.get(name, name): value for name, value in query.items()}


def _external_id(asked: RecordingsPageRequest) -> str | None:
    """An external id made of several has a slash between them: see `adapters.summary_pages`."""
    if asked.correlation_id is None or asked.recording_id is None:
        return None
    return f"{asked.correlation_id}/{asked.recording_id}"


def _event_answer(recorded: RecordedEvent) -> HistoryEntryAnswer:
    event = recorded.event
    return HistoryEntryAnswer(
        version=recorded.version,
        type=type(event).__name__,
        at=utc_text(event.at),
        data=event.model_dump(mode="json", exclude={"at", *CONTENT_FIELDS}),
        trace_id=recorded.trace_id,
    )
