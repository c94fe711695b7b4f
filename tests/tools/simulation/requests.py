"""What the HTTP API's handlers do, without HTTP: the same calls in the order of `dialects.bota.streaming`."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from adapters.blobs.staging import Staged, discard, staged
from domain import commands
from domain.decisions import chunk_asked_for
from domain.errors import RecordingError
from domain.life import decide
from service.application.processing import blob_prefix
from service.application.recordings import Outcome
from service.dialects.bota.objects import finalize_answer
from tests.tools.simulation.memory_blobs import described
from tests.tools.simulation.process import Process
from tests.tools.simulation.world import World


class Handlers:
    """Requests about one recording."""

    def __init__(self, world: World, recording_id: UUID) -> None:
        self._world = world
        self._id = recording_id

    async def carry_out(self, process: Process, command: commands.Command) -> Outcome:
        return await process.recordings.execute(self._id, command)

    async def put_chunk(self, process: Process, number: int, body: bytes) -> None:
        await process.recordings.opened(self._id)
        prefix = blob_prefix(self._id, f"chunk-{number}")
        would_be = described(prefix, body).key
        self._world.in_doubt[would_be] += 1
        async with staged(process.blobs, prefix, _stream(body)) as chunk:
            await self._record_chunk(process, number, chunk)
        self._settle(would_be)

    async def _record_chunk(self, process: Process, number: int, chunk: Staged) -> None:
        blob = chunk.blob
        command = commands.StoreChunk(
            at=self._world.clock(),
            number=number,
            blob_key=blob.key,
            size_bytes=blob.size_bytes,
            sha256=blob.sha256,
            md5=blob.md5,
        )
        try:
            await process.recordings.execute(self._id, command, after=chunk)
        except RecordingError:
            await discard(process.blobs, chunk)
            self._settle(blob.key)
            raise

    def _settle(self, would_be: str) -> None:
        """One put of the blob has ended cleanly; others of the same bytes may have been cut off."""
        self._world.in_doubt[would_be] -= 1
        self._world.in_doubt += Counter()  # forgets what is settled

    async def append_chunk(self, process: Process, body: bytes, is_last: bool) -> int:
        """Take a chunk without a number, as `service.application.consultations` does; returns the number that it got.

        The request has a name: without one, a request that was cut off and takes effect after the next chunk would be
        another chunk. The service's one process takes a session's requests in turn; here there are two, without turns.
        """
        recording = await process.recordings.find(self._id)
        prefix = blob_prefix(self._id, "chunk")
        would_be = described(prefix, body)
        command = commands.AppendChunk(
            at=self._world.clock(),
            blob_key=would_be.key,
            size_bytes=would_be.size_bytes,
            sha256=would_be.sha256,
            md5=would_be.md5,
            request_sha256=would_be.sha256,
            is_named=True,
            is_last=is_last,
        )
        if decide(recording, command):
            self._world.in_doubt[would_be.key] += 1
            await process.blobs.put(prefix, _stream(body))
        try:
            outcome = await process.recordings.execute(self._id, command)
        except RecordingError:
            await process.blobs.delete(would_be.key)  # every chunk of a client here has other bytes
            raise
        stored = chunk_asked_for(outcome.recording, command)
        assert stored is not None
        await self.hear_chunk(process, stored.number, body)
        return stored.number

    async def hear_chunk(self, process: Process, number: int, body: bytes) -> None:
        """Record a chunk's words, which here are the chunk itself."""
        heard = described(blob_prefix(self._id, "chunk"), body)
        command = commands.RecordChunkTranscribed(
            at=self._world.clock(),
            number=number,
            chunk_sha256=heard.sha256,
            blob_key=heard.key,
            size_bytes=heard.size_bytes,
            sha256=heard.sha256,
            language="en",
            engine="simulated",
            word_count=1,
            duration_ms=len(body),
        )
        await process.recordings.execute(self._id, command)

    async def put_metadata(self, process: Process, number: int, body: bytes) -> None:
        """Announce a chunk without its bytes: they may come later, or never."""
        announced = described("", body)
        command = commands.StoreChunk(
            at=self._world.clock(),
            number=number,
            blob_key=None,
            size_bytes=0,
            sha256=announced.sha256,
            md5=announced.md5,
        )
        await process.recordings.execute(self._id, command)

    async def finalize(self, process: Process, total_chunks: int, duration_ms: int) -> dict[str, Any]:
        command = commands.FinalizeRecording(
            at=self._world.clock(), total_chunks=total_chunks, final_duration_ms=duration_ms
        )
        outcome = await process.recordings.execute(self._id, command)
        return finalize_answer(self._id, outcome.recording).model_dump()

    async def status(self, process: Process) -> Any:
        """What the view says, once it has seen everything that this process has answered for so far."""
        await process.projector.wait_for(process.log.head, seconds=600)
        return self._world.summaries.find(self._id)


async def _stream(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 4):
        yield body[start : start + 4]
