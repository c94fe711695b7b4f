"""What Dragon's own calls leave open (D): how a recording stands, its stored chunks, and trying again.

A chunk is replaced by PUT /audio/storeChunk with its chunkId. Source: REFERENCE.md, "When stitching fails".
"""

from collections.abc import Mapping

from aiohttp import web

from domain.events import Damage
from domain.recording import Phase, Recording
from service.application.lifecycle import Lifecycle
from service.application.queries import Queries
from service.dialects.dragon.answers import (
    ChunksResponse,
    ChunkStatus,
    DamageStatus,
    FailureStatus,
    RecordingStatus,
    SuccessResponse,
    suspects_named,
)
from service.dialects.dragon.requests import (
    RecordingPart,
    parse_chunk_number,
    parse_recording,
    parse_recording_query,
)
from service.dialects.dragon.writers import Writers
from service.dialects.http.json_answers import json_answer, utc_text
from service.dialects.http.limits import Limits, continue_later, tell_to_continue
from service.dialects.http.stored_chunks import damage_told, serve_all_chunks, serve_chunk

STATUS: Mapping[Phase, RecordingStatus] = {
    Phase.OPEN: "receiving",
    Phase.AWAITING_CHUNKS: "receiving",
    Phase.COMPLETED: "completed",
    Phase.FAILED: "failed",
    Phase.EXPIRED: "expired",
}
"""Of a recording in this phase; "processing" in any other."""


class Mending:
    """The handlers."""

    def __init__(self, queries: Queries, lifecycle: Lifecycle, writers: Writers, limits: Limits) -> None:
        self._queries = queries
        self._lifecycle = lifecycle
        self._writers = writers
        self._limits = limits

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/audio/chunks", self.chunks)
        router.add_get("/audio/chunks/all", self.all_chunks)
        router.add_get("/audio/chunks/{chunk_id}", self.chunk)
        router.add_post("/audio/retryUpload", self.retry, expect_handler=continue_later)

    async def chunks(self, request: web.Request) -> web.Response:
        """GET /audio/chunks (D): how the recording stands, and what is stored of it."""
        _, recording = await self._asked_for(request)
        return json_answer(_chunks_answer(recording))

    async def chunk(self, request: web.Request) -> web.StreamResponse:
        """GET /audio/chunks/{chunkId} (D): the bytes of one chunk."""
        asked, recording = await self._readable(request)
        number = parse_chunk_number(request.match_info["chunk_id"])
        return await serve_chunk(request, self._queries.read, recording, number, name=_file_name(asked))

    async def all_chunks(self, request: web.Request) -> web.StreamResponse:
        """GET /audio/chunks/all (D): the bytes of all chunks, one after another."""
        asked, recording = await self._readable(request)
        return await serve_all_chunks(request, self._queries.read, recording, name=_file_name(asked))

    async def retry(self, request: web.Request) -> web.Response:
        """POST /audio/retryUpload (D): stitch again what failed, or what was replaced since."""
        caller = await self._writers.caller(request)
        tell_to_continue(request)
        asked = parse_recording(await self._limits.json_body(request), request.query)
        announced = await self._writers.permitted(request, caller, asked)
        await self._lifecycle.retry(announced.recording_id)
        return json_answer(SuccessResponse())

    async def _readable(self, request: web.Request) -> tuple[RecordingPart, Recording]:
        """Raises: NoSessionToReadBy; as `_asked_for`."""
        asked, recording = await self._asked_for(request)
        await self._writers.check_may_read(asked, recording.opened)
        return asked, recording

    async def _asked_for(self, request: web.Request) -> tuple[RecordingPart, Recording]:
        """Raises: what `Writers` raises; RecordingNotFound."""
        caller = await self._writers.caller(request)
        asked = parse_recording_query(request.query)
        announced = await self._writers.permitted(request, caller, asked)
        return asked, await self._queries.recording(announced.recording_id)


def _file_name(asked: RecordingPart) -> str:
    return f"{asked.correlation_id.replace('|', '-')}.{asked.recording_number}"


def _chunks_answer(recording: Recording) -> ChunksResponse:
    failed, stitched, finalized = recording.failed, recording.stitched, recording.finalized
    return ChunksResponse(
        status=STATUS.get(recording.phase, "processing"),
        total_chunks=finalized.total_chunks if finalized else None,
        failure=None
        if failed is None
        else FailureStatus(stage=failed.stage, reason=failed.reason, message=failed.message),
        damage=[_damage(found) for found in stitched.damage] if stitched else [],
        suspect_chunks=suspects_named(recording.suspect_chunks()),
        chunks=[
            ChunkStatus(
                chunk_id=chunk.number,
                size_bytes=chunk.size_bytes,
                sha256=chunk.sha256,
                stored_at=utc_text(chunk.at),
                is_damaged=damage_told(recording, chunk) is not None,
            )
            for chunk in recording.chunks.in_order()
        ],
    )


def _damage(found: Damage) -> DamageStatus:
    return DamageStatus(chunk_id=found.chunk_number, reason=found.reason, message=found.message)
