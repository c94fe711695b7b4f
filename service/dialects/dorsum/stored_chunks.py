"""A session's stored chunks as 16-bit PCM, and trying again, for a client that no longer has what it sent (D).

No call replaces a chunk: what is stored are samples that the service wrote itself, and any samples can be stitched.
"""

import re

from aiohttp import web

from domain.identity import recording_id
from domain.recording import Recording
from service.application.callers import Callers
from service.application.lifecycle import Lifecycle
from service.application.queries import Queries
from service.dialects.dorsum import access
from service.dialects.dorsum.answers import ChunksAnswer, RetriedAnswer, StoredChunkAnswer
from service.dialects.dorsum.names import DIALECT
from service.dialects.dorsum.requests import InvalidRequest, session_named
from service.dialects.http.json_answers import json_answer, utc_text
from service.dialects.http.stored_chunks import serve_all_chunks, serve_chunk

_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


class StoredChunks:
    """The handlers."""

    def __init__(self, queries: Queries, lifecycle: Lifecycle, callers: Callers) -> None:
        self._queries = queries
        self._lifecycle = lifecycle
        self._callers = callers

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/api/consultations/{session_id}/chunks", self.chunks)
        router.add_get("/api/consultations/{session_id}/chunks/all", self.all_chunks)
        router.add_get("/api/consultations/{session_id}/chunks/{number}", self.chunk)
        router.add_post("/api/consultations/{session_id}/retry", self.retry)

    async def chunks(self, request: web.Request) -> web.Response:
        """GET /api/consultations/{session_id}/chunks: which chunks are stored."""
        name, recording = await self._session(request)
        return json_answer(ChunksAnswer(session_id=name, chunks=_chunk_answers(recording)))

    async def all_chunks(self, request: web.Request) -> web.StreamResponse:
        """GET /api/consultations/{session_id}/chunks/all: all samples so far, without a header."""
        name, recording = await self._session(request)
        return await serve_all_chunks(request, self._queries.read, recording, name=name)

    async def chunk(self, request: web.Request) -> web.StreamResponse:
        """GET /api/consultations/{session_id}/chunks/{number}."""
        name, recording = await self._session(request)
        number = request.match_info["number"]
        if not _NUMBER.fullmatch(number):
            raise InvalidRequest(f"number: This must be a chunk's number, or 'all', not {number[:40]!r}.")
        return await serve_chunk(request, self._queries.read, recording, int(number), name=name)

    async def retry(self, request: web.Request) -> web.Response:
        """POST /api/consultations/{session_id}/retry: as the final chunk sent again does, but without waiting."""
        key = await access.permitted(request, self._callers)
        name = session_named(request.match_info["session_id"])
        await self._lifecycle.retry(recording_id(DIALECT, key.project_id, name))
        return json_answer(RetriedAnswer(session_id=name), status=202)

    async def _session(self, request: web.Request) -> tuple[str, Recording]:
        """What the session is called, and its recording. Raises: BadKeys; InvalidRequest; RecordingNotFound."""
        key = await access.permitted(request, self._callers)
        name = session_named(request.match_info["session_id"])
        return name, await self._queries.recording(recording_id(DIALECT, key.project_id, name))


def _chunk_answers(recording: Recording) -> list[StoredChunkAnswer]:
    return [
        StoredChunkAnswer(
            number=chunk.number, size_bytes=chunk.size_bytes, sha256=chunk.sha256, stored_at=utc_text(chunk.at)
        )
        for chunk in recording.chunks.in_order()
    ]
