"""A chunk that has been taken in, recorded: what is the same for every dialect that sends chunks."""

from uuid import UUID

from adapters.blobs.port import Staged
from domain import commands
from service.application.trace import trace_id
from service.runtime.deck import Deck


async def record_chunk(deck: Deck, its_id: UUID, number: int, chunk: Staged) -> None:
    """Make bytes and event durable with one commit. Raises: as `Recordings.execute`; a refused chunk is left alone."""
    blob = chunk.blob
    command = commands.StoreChunk(
        at=deck.clock(),
        number=number,
        blob_key=blob.key,
        size_bytes=blob.size_bytes,
        sha256=blob.sha256,
        md5=blob.md5,
    )
    outcome = await deck.recordings.execute(its_id, command, trace_id=trace_id.get(), after=chunk)
    stitched = outcome.recording.stitched
    is_past_retention = stitched is not None and stitched.at + deck.settings.chunk_retention <= command.at
    if chunk.keeper is None and is_past_retention:  # it was erased, and has come back with the repeated request
        await deck.blobs.delete(blob.key)
