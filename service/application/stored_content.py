"""Reads whole blobs that fit into memory: transcripts, notes, what callers say about a recording."""

import asyncio

from adapters.blobs.port import BlobStore
from adapters.speech.transcript import Transcript


async def content_of(blobs: BlobStore, key: str) -> bytes:
    """Raises: BlobNotFound; StorageUnavailable."""
    return b"".join([block async for block in blobs.read(key)])


async def transcript_of(blobs: BlobStore, key: str) -> Transcript:
    """Parsed in a thread: an hour's transcript takes a while. Raises: as `content_of`."""
    return await asyncio.to_thread(Transcript.from_json, await content_of(blobs, key))
