"""What the handlers of the HTTP API do, without HTTP: the same calls in the order of `service.api.bota.streaming`."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from adapters.blobs.staging import Staged, discard, staged
from domain import commands
from domain.errors import RecordingError
from service.api.bota.objects import finalize_answer
from service.processing import blob_prefix
from service.recordings import Outcome
from tests.simulation.memory_blobs import described
from tests.simulation.process import Process
from tests.simulation.world import World


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
        """One put of the blob has ended in order; others of the same bytes may have been cut off."""
        self._world.in_doubt[would_be] -= 1
        self._world.in_doubt += Counter()  # forgets what is settled

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
        """What the view says, once it has seen all that this process had answered for by now."""
        await process.projector.wait_for(process.log.head, seconds=600)
        return self._world.summaries.find(self._id)


async def _stream(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 4):
        yield body[start : start + 4]
