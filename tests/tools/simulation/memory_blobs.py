"""A blob store in memory. What was put outlives the process that put it; the storage may be full or unavailable.

Some bodies become durable with their event, like those that share a segment; some are durable earlier, like large ones.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from adapters.blobs.port import (
    BlobFailure,
    BlobNotFound,
    BlobTooLarge,
    DurableBlob,
    StorageFull,
    StorageUnavailable,
    StoredBlob,
    checked_beginning,
    checked_key,
    checked_prefix,
)
from tests.tools.simulation import faults as fault
from tests.tools.simulation.faults import Faults

LARGE_BODIES = 0.3
"""The share of bodies that are treated as large."""


@dataclass(frozen=True, slots=True)
class MemoryStaged:
    """A body that nobody has stored yet."""

    blob: StoredBlob
    body: bytes
    keeper: "MemoryBlobStore"

    @property
    def size_bytes(self) -> int:
        return self.blob.size_bytes


class MemoryBlobStore:
    """A `BlobStore` over the dict `bodies`, which several stores may share."""

    def __init__(self, bodies: dict[str, bytes], faults: Faults) -> None:
        self._bodies = bodies
        self._faults = faults

    async def put(
        self,
        prefix: str,
        body: AsyncIterable[bytes],
        *,
        limit_bytes: int | None = None,
        check: Callable[[StoredBlob], None] | None = None,
    ) -> StoredBlob:
        checked_prefix(prefix)
        return await asyncio.to_thread(self._publish, prefix, await _whole(body, limit_bytes), check)

    @asynccontextmanager
    async def stage(
        self,
        prefix: str,
        body: AsyncIterable[bytes],
        *,
        limit_bytes: int | None = None,
        announced_bytes: int | None = None,  # noqa: ARG002 - the port's; nothing is reserved here
        check: Callable[[StoredBlob], None] | None = None,
    ) -> AsyncIterator[MemoryStaged | DurableBlob]:
        """See `BlobStore.stage`."""
        checked_prefix(prefix)
        if self._faults.random.random() < LARGE_BODIES:
            yield DurableBlob(await self.put(prefix, body, limit_bytes=limit_bytes, check=check))
            return
        whole = await _whole(body, limit_bytes)
        blob = described(prefix, whole)
        if check is not None:
            check(blob)
        yield MemoryStaged(blob, whole, self)

    def make_durable(self, bodies: Sequence[MemoryStaged]) -> list[BlobFailure | None]:
        """See `Keeper`: each of them may fail, and the others stay."""
        return [self._keep(staged) for staged in bodies]

    def _keep(self, staged: MemoryStaged) -> BlobFailure | None:
        try:
            self._may_be_full_or_away()
        except BlobFailure as failure:
            return failure
        self._bodies[staged.blob.key] = staged.body
        return None

    def _publish(self, prefix: str, body: bytes, check: Callable[[StoredBlob], None] | None = None) -> StoredBlob:
        blob = described(prefix, body)
        if check is not None:
            check(blob)
        self._may_be_full_or_away()
        self._bodies[blob.key] = body
        return blob

    def put_file(self, prefix: str, path: Path) -> StoredBlob:
        blob = self.put_bytes(prefix, path.read_bytes())
        path.unlink()
        return blob

    def put_bytes(self, prefix: str, body: bytes) -> StoredBlob:
        return self._publish(checked_prefix(prefix), body)

    def open(self, key: str) -> BinaryIO:
        self._may_be_away()
        if checked_key(key) not in self._bodies:
            raise BlobNotFound(key)
        return BytesIO(self._bodies[key])

    async def read(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        if start < 0 or (length is not None and length < 0):
            raise ValueError("a range has no negative start or length")
        with await asyncio.to_thread(self.open, key) as reader:
            left = reader.seek(0, 2) if length is None else length  # also if it was deleted since it was opened
            reader.seek(start)
            while left and (block := reader.read(min(left, 65_536))):
                left -= len(block)
                yield block

    async def size(self, key: str) -> int:
        with await asyncio.to_thread(self.open, key) as reader:
            return reader.seek(0, 2)

    async def direct_url(self, key: str, lasting: timedelta) -> str | None:  # noqa: ARG002 - there is none
        return None

    async def delete(self, key: str) -> None:
        checked_key(key)
        await asyncio.to_thread(self._delete, key)

    def _delete(self, key: str) -> None:
        self._may_be_away()
        self._bodies.pop(key, None)

    async def erase(self, prefix: str) -> int:
        keys = list(self.keys(prefix))
        for key in keys:
            await self.delete(key)
        return len(keys)

    async def erase_keys(self, keys: Sequence[str]) -> None:
        for key in keys:
            await self.delete(key)

    def keys(self, prefix: str = "") -> Iterator[str]:
        checked_beginning(prefix)
        self._may_be_away()
        return iter([key for key in self._bodies if key.startswith(prefix)])

    async def check_writable(self) -> None:
        await asyncio.to_thread(self._may_be_away)

    def _may_be_full_or_away(self) -> None:
        if self._faults.happens(fault.STORAGE_FULL):
            raise StorageFull
        self._may_be_away()

    def _may_be_away(self) -> None:
        if self._faults.happens(fault.STORAGE_UNAVAILABLE):
            raise StorageUnavailable("it does not answer")

    def recover(self) -> int:
        return 0

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""


async def _whole(body: AsyncIterable[bytes], limit_bytes: int | None) -> bytes:
    whole = bytearray()
    async for piece in body:
        whole += piece
        if limit_bytes is not None and len(whole) > limit_bytes:
            raise BlobTooLarge(limit_bytes)
    return bytes(whole)


def described(prefix: str, body: bytes) -> StoredBlob:
    sha256, md5 = hashlib.sha256(body).hexdigest(), hashlib.md5(body).hexdigest()
    return StoredBlob(key=prefix + sha256, size_bytes=len(body), sha256=sha256, md5=md5)
