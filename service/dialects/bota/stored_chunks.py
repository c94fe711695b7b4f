"""The stored chunks of a recording as they came (D): one, or all in order, whatever state it is in."""

import re

from aiohttp import web

from domain.recording import Recording
from service.application.callers import Callers
from service.application.queries import Queries
from service.dialects.bota import access
from service.dialects.bota.identifiers import public_recording_id, recording_id_of
from service.dialects.bota.requests import InvalidRequest
from service.dialects.bota.view import View
from service.dialects.http.stored_chunks import serve_all_chunks, serve_chunk

_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


class StoredChunks:
    """The handlers. `GET /v1/recordings/{id}/chunks`, which lists them, is with the upload it resumes."""

    def __init__(self, queries: Queries, callers: Callers) -> None:
        self._queries = queries
        self._callers = callers
        self._view = View(queries)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/recordings/{recording_id}/chunks/all", self.all_chunks)
        router.add_get("/v1/recordings/{recording_id}/chunks/{number}", self.chunk)

    async def all_chunks(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/recordings/{id}/chunks/all."""
        name, recording = await self._recording(request)
        return await serve_all_chunks(request, self._queries.read, recording, name=name)

    async def chunk(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/recordings/{id}/chunks/{number}."""
        name, recording = await self._recording(request)
        number = request.match_info["number"]
        if not _NUMBER.fullmatch(number):
            raise InvalidRequest("number", f"This must be a chunk's number, or 'all', not {number[:40]!r}.")
        return await serve_chunk(request, self._queries.read, recording, int(number), name=name)

    async def _recording(self, request: web.Request) -> tuple[str, Recording]:
        """What the recording is called, and itself. Raises: Unauthorized, Forbidden; RecordingNotFound."""
        key = await access.permitted(request, self._callers, access.READ_RECORDINGS)
        recording_id = recording_id_of(request.match_info["recording_id"])
        return public_recording_id(recording_id), await self._view.recording(key, recording_id)
