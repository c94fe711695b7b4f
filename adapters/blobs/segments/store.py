"""Local disk as a blob store, small bodies in segments: durable (one fdatasync for all that wait), atomic, idempotent.

Small bodies are appended to one open segment under `.segments/`; larger ones, and what worker processes store, are
single files beside it, as `FileBlobStore` keeps them. A store of files can be opened as one of segments.
"""

import asyncio
import io
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from adapters.blobs.files.store import BLOCK_BYTES, FileBlobStore
from adapters.blobs.port import (
    BlobFailure,
    BlobNotFound,
    StorageUnavailable,
    StoredBlob,
    checked_beginning,
    checked_key,
    checked_prefix,
)
from adapters.blobs.segments.file import segment_path
from adapters.blobs.segments.index import Place, SegmentIndex
from adapters.blobs.segments.reading import BlobInSegment
from adapters.blobs.segments.recovery import recover_segments
from adapters.blobs.segments.space import SegmentSpace, SpaceUsage
from adapters.blobs.segments.staging import SMALL_BYTES, WAITING_BYTES, Intake, StagedBody, Staging
from adapters.blobs.segments.tails import SegmentTails
from adapters.blobs.segments.writer import SEGMENT_BYTES, STEP_BYTES, SegmentWriter
from adapters.blobs.storage_errors import storage_errors
from adapters.durable_files import Directories


class SegmentBlobStore:
    """Blobs under one directory. Any number of processes may use it and delete; each writes to its own segments.

    One of them owns the store: it calls `recover`, before the others store anything.
    """

    def __init__(
        self,
        root: Path,
        *,
        small_bytes: int = SMALL_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        step_bytes: int = STEP_BYTES,
        waiting_bytes: int = WAITING_BYTES,
    ) -> None:
        self._files = FileBlobStore(root)
        self._directory = root.absolute() / ".segments"
        with storage_errors():
            Directories(root.absolute()).make_durable(self._directory)
        self._index = SegmentIndex(self._directory / "index.sqlite3")
        self._tails = SegmentTails(self._directory, self._index)
        self._writer = SegmentWriter(
            self._directory,
            self._index,
            on_unindexed=self._index_soon,
            segment_bytes=segment_bytes,
            step_bytes=step_bytes,
        )
        self._space = SegmentSpace(self._directory, self._index, self._writer, segment_bytes=segment_bytes)
        self._background = ThreadPoolExecutor(1, thread_name_prefix="segments")
        self._intake = Intake(self._writer, self._files.in_thread, small_bytes=small_bytes, waiting_bytes=waiting_bytes)
        self._closed = False

    def stage(
        self,
        prefix: str,
        body: AsyncIterable[bytes],
        *,
        limit_bytes: int | None = None,
        announced_bytes: int | None = None,
        check: Callable[[StoredBlob], None] | None = None,
    ) -> Staging:
        """See `BlobStore.stage`."""
        self._check_open()
        checked_prefix(prefix)
        return self._intake.stage(
            prefix,
            body,
            partial(self._files.arrival, prefix, check),
            limit_bytes=limit_bytes,
            announced_bytes=announced_bytes,
            check=check,
        )

    async def put(
        self,
        prefix: str,
        body: AsyncIterable[bytes],
        *,
        limit_bytes: int | None = None,
        check: Callable[[StoredBlob], None] | None = None,
    ) -> StoredBlob:
        async with self.stage(prefix, body, limit_bytes=limit_bytes, check=check) as staged:
            if isinstance(staged, StagedBody):
                (failure,) = await self._files.in_thread(self._writer.make_durable, [staged])
                if failure is not None:
                    raise failure
            return staged.blob

    def put_bytes(self, prefix: str, body: bytes) -> StoredBlob:
        return self._files.put_bytes(prefix, body)

    def put_file(self, prefix: str, path: Path) -> StoredBlob:
        return self._files.put_file(prefix, path)

    def open(self, key: str) -> BinaryIO:
        blob = self._open(checked_key(key))
        return self._files.open(key) if blob is None else cast("BinaryIO", io.BufferedReader(blob))

    async def read(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        if start < 0 or (length is not None and length < 0):
            raise ValueError("A range must not have a negative start or length.")
        blob = await self._files.in_thread(self._open, checked_key(key))
        if blob is None:
            async for block in self._files.read(key, start=start, length=length):
                yield block
            return
        with blob:
            end = blob.size_bytes if length is None else min(blob.size_bytes, start + length)
            while start < end:
                block = await self._files.in_thread(blob.block, start, min(end - start, BLOCK_BYTES))
                if not block:
                    raise StorageUnavailable("a segment became shorter")
                yield block
                start += len(block)

    async def size(self, key: str) -> int:
        place = await self._files.in_thread(self._place, checked_key(key))
        return await self._files.size(key) if place is None else place.size_bytes

    def _place(self, key: str) -> Place | None:
        """Where the key is in a segment; None if it is in none."""
        return (
            self._writer.find(key)
            or self._index.find(key)
            or self._tails.find(key, besides=self._writer.segments)
            or self._index.find(key)  # if another process added it to the index after the first look there
        )

    def _open(self, key: str) -> BlobInSegment | None:
        """Opened where it is. Looks again if its segment was compacted between looking and opening."""
        for is_last in (False, True):
            place = self._place(key)
            if place is None:
                return None
            try:
                return BlobInSegment(key, segment_path(self._directory, place.segment), place)
            except BlobNotFound:
                if is_last:
                    raise
        return None

    async def direct_url(self, key: str, lasting: timedelta) -> str | None:  # noqa: ARG002 - there is none
        return None

    async def delete(self, key: str) -> None:
        checked_key(key)
        await self._erase([key])
        await self._files.delete(key)

    async def erase(self, prefix: str) -> int:
        keys = await self._files.in_thread(lambda: list(self.keys(prefix)))
        await self._erase(keys)
        await self._files.erase(prefix)
        return len(keys)

    async def erase_keys(self, keys: Sequence[str]) -> None:
        for key in keys:
            checked_key(key)
        await self._erase(keys)
        await self._files.erase_keys(keys)

    async def _erase(self, keys: Sequence[str]) -> None:
        self._check_open()
        loop = asyncio.get_running_loop()
        await asyncio.shield(loop.run_in_executor(self._background, self._erase_now, keys))

    def _erase_now(self, keys: Sequence[str]) -> None:
        with self._space.alone():
            self._writer.sync()
            self._writer.index_durable()
            self._index.drop(keys, unindexed=self._tails.places(keys, besides=self._writer.segments))
            self._space.erase_noted()
        self._in_background(self._space.compact)

    def keys(self, prefix: str = "") -> Iterator[str]:
        return self._keys(checked_beginning(prefix))

    def _keys(self, prefix: str) -> Iterator[str]:
        unindexed = {
            *self._writer.keys(prefix),
            *self._tails.keys(prefix, besides=self._writer.segments),
        }
        yield from sorted(unindexed)
        in_files = set(self._files.keys(prefix))
        yield from sorted(in_files - unindexed)
        yield from (key for key in self._index.keys(prefix) if key not in unindexed and key not in in_files)

    async def check_writable(self) -> None:
        await self._files.check_writable()

    def recover(self) -> int:
        leftovers = self._files.recover() + recover_segments(self._directory, self._index)
        self._space.erase_noted()
        self._in_background(self._space.compact)
        return leftovers

    def usage(self) -> SpaceUsage:
        """What the segments hold, and how much space they take."""
        return self._space.usage()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._intake.close)
        await asyncio.to_thread(self._background.shutdown)
        await asyncio.to_thread(self._writer.close)
        self._index.close()
        await self._files.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StorageUnavailable("it has been closed")

    def _index_soon(self) -> None:
        self._in_background(self._writer.index_durable)

    def _in_background(self, work: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # closing: the next start finds what is left to do
            self._background.submit(_tolerant, work)


def _tolerant(work: Callable[[], None]) -> None:
    """A failure in the background has lost nothing; the work is tried again when there is reason to."""
    with suppress(BlobFailure):
        work()
