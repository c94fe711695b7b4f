"""Answers with the chunks of a recording as they were stored: one, or all of them in order, in whatever state it is."""

import hashlib
from collections.abc import Sequence

from aiohttp import web

from adapters.blobs.port import BlobNotFound
from domain.errors import RecordingNotFound
from domain.events import ChunkStored, Damage
from domain.recording import Phase, Recording
from service.dialects.http.serving import Part, ReadBlob, ServedBytes, serve_bytes

MEDIA_TYPE = "application/octet-stream"


class NoSuchChunk(Exception):
    """No chunk of this number is stored."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Chunk {number} is not stored.")
        self.number = number


class ChunksErased(Exception):
    """The recording was stitched so long ago that its chunks are no longer kept."""

    def __init__(self) -> None:
        super().__init__("The chunks were erased some time after they were stitched into one file.")


class ExpiredChunksErased(Exception):
    """The recording expired so long ago, before it was complete, that its chunks are no longer kept."""

    def __init__(self) -> None:
        super().__init__(
            "The recording was not completed before its time was over, and its chunks were erased some time "
            "after that; create a new recording if you still have them."
        )


async def serve_chunk(
    request: web.Request, read: ReadBlob, recording: Recording, number: int, *, name: str
) -> web.StreamResponse:
    """The bytes of chunk `number`; none if it is metadata only. `name`: what the recording is called in file names.

    Raises: NoSuchChunk; ChunksErased; ExpiredChunksErased; RecordingNotFound.
    """
    chunk = recording.chunks.get(number)
    if chunk is None:
        raise NoSuchChunk(number)
    return await _serve(request, read, recording, [chunk], etag=chunk.sha256, file_name=f"{name}.chunk-{number}.bin")


async def serve_all_chunks(
    request: web.Request, read: ReadBlob, recording: Recording, *, name: str
) -> web.StreamResponse:
    """The bytes of all stored chunks one after another, by number; missing ones leave no gap.

    Raises: ChunksErased; ExpiredChunksErased; RecordingNotFound.
    """
    chunks = recording.chunks.in_order()
    etag = hashlib.sha256("".join(f"{chunk.number} {chunk.sha256} " for chunk in chunks).encode()).hexdigest()
    return await _serve(request, read, recording, chunks, etag=etag, file_name=f"{name}.chunks.bin")


async def _serve(
    request: web.Request,
    read: ReadBlob,
    recording: Recording,
    chunks: Sequence[ChunkStored],
    *,
    etag: str,
    file_name: str,
) -> web.StreamResponse:
    parts = tuple(Part(chunk.blob_key, chunk.size_bytes) for chunk in chunks if chunk.blob_key is not None)
    served = ServedBytes(parts=parts, etag=etag, content_type=MEDIA_TYPE, file_name=file_name)
    try:
        return await serve_bytes(request, read, served)
    except BlobNotFound:
        if recording.phase is Phase.EXPIRED:
            raise ExpiredChunksErased from None
        if recording.stitched is None:  # deleted meanwhile
            raise RecordingNotFound from None
        raise ChunksErased from None


def damage_told(recording: Recording, chunk: ChunkStored) -> Damage | None:
    """Why the stitched audio lacks sound of these bytes; None also for bytes that have replaced the damaged ones."""
    stitched = recording.stitched
    is_newer = stitched is not None and chunk.at > stitched.at
    return None if is_newer else recording.damage_of(chunk.number)
