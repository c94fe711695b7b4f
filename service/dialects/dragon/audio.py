"""Dragon's audio: chunks as multipart forms, and finalize, in any order. Source: REFERENCE.md."""

from aiohttp import web

from domain.recording import Recording
from service.application.uploads import Uploads
from service.dialects.dragon.answers import FinalizeResponse, SuccessResponse, suspects_named
from service.dialects.dragon.chunk_form import ChunkForm
from service.dialects.dragon.requests import InvalidRequest, parse_chunk_metadata, parse_finalize
from service.dialects.dragon.writers import Writers
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import Limits, continue_later, tell_to_continue

METADATA_ONLY_CHUNK = 1
"""(P) The chunk that may announce the others and have no bytes; (D) so may the last, which ends a recording."""


class Audio:
    """The handlers."""

    def __init__(
        self,
        uploads: Uploads,
        writers: Writers,
        limits: Limits,
    ) -> None:
        self._uploads = uploads
        self._writers = writers
        self._limits = limits

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_put("/audio/storeChunk", self.store_chunk, expect_handler=continue_later)
        router.add_post("/audio/finalizeUpload", self.finalize_upload, expect_handler=continue_later)

    async def store_chunk(self, request: web.Request) -> web.Response:
        """PUT /audio/storeChunk (P). The answer comes when the bytes and the event are durable."""
        caller = await self._writers.caller(request)
        form = ChunkForm(request, self._limits)
        tell_to_continue(request)
        asked = parse_chunk_metadata(await form.metadata(), request.query, max_chunks=self._writers.max_chunks)
        announced = await self._writers.permitted(request, caller, asked)
        content = await form.content()
        if content is not None:
            await self._uploads.store_chunk(announced.recording_id, asked.chunk_number, content, opening=announced)
        elif asked.chunk_number == METADATA_ONLY_CHUNK or asked.is_last is not False:
            # Without isLast it may be the last one; if the total says that it is not, the domain refuses it.
            await self._uploads.ensure_open(announced)
            await self._uploads.store_metadata(announced.recording_id, asked.chunk_number)
        else:
            raise InvalidRequest("content is required for every chunk but the first and the last")
        return _success()

    async def finalize_upload(self, request: web.Request) -> web.Response:
        """POST /audio/finalizeUpload (S). It also succeeds before the chunks have come; they are waited for."""
        caller = await self._writers.caller(request)
        self._limits.admit(request, self._limits.json_bytes)
        tell_to_continue(request)
        body = await self._limits.json_body(request)
        asked = parse_finalize(body, request.query, max_chunks=self._writers.max_chunks)
        announced = await self._writers.permitted(request, caller, asked)
        await self._uploads.ensure_open(announced)
        recording = await self._uploads.finalize(announced.recording_id, total_chunks=asked.total_chunks)
        return json_answer(_finalize_answer(recording))


def _finalize_answer(recording: Recording) -> FinalizeResponse:
    """Computed from FinalizeRequested alone, so it never changes."""
    suspects = recording.finalized.suspect_chunks if recording.finalized else ()
    return FinalizeResponse(suspect_chunks=suspects_named(suspects))


def _success() -> web.Response:
    """(S)"""
    return json_answer(SuccessResponse())
