"""Reads and stores whole blobs that fit into memory: transcripts, notes, what callers say about a recording."""

import asyncio
from contextlib import suppress

from adapters.blobs.port import BlobStore, StoredBlob
from adapters.speech.transcript import Transcript


async def content_of(blobs: BlobStore, key: str) -> bytes:
    """Raises: BlobNotFound; StorageUnavailable."""
    return b"".join([block async for block in blobs.read(key)])


async def transcript_of(blobs: BlobStore, key: str) -> Transcript:
    """Parsed in a thread: an hour's transcript takes a while. Raises: as `content_of`."""
    return await asyncio.to_thread(Transcript.from_json, await content_of(blobs, key))


async def stored(blobs: BlobStore, prefix: str, body: bytes) -> StoredBlob:
    """Store these bytes. A caller that is cancelled meanwhile, however often, is so only once they are stored: whoever
    erases what was stored of a deleted recording after that finds them.

    Raises: StorageFull, StorageUnavailable.
    """
    storing = asyncio.create_task(asyncio.to_thread(blobs.put_bytes, prefix, body))
    try:
        return await asyncio.shield(storing)
    except asyncio.CancelledError:
        while not storing.done():
            with suppress(asyncio.CancelledError):  # this is raised below
                await asyncio.wait([storing])
        storing.exception()  # retrieved, or the loop would log it: the caller gets the cancellation
        raise
    finally:
        del storing  # its error would hold this frame, and with it the bytes
