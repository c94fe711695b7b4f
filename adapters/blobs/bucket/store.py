"""A bucket as a blob store: durable once the bucket has acknowledged and the index is synced; idempotent.

Small bodies that are made durable together share one object; larger ones, and what worker processes store, have one
each. Where the small ones are is in an index, in a file or in PostgreSQL; of the others the bucket itself knows.
"""

import asyncio
import io
import logging
import os
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from adapters.blobs.bucket.address import BucketAddress
from adapters.blobs.bucket.arrival import LARGE, BucketArrival, discard_unfinished, incoming_in, name_of
from adapters.blobs.bucket.bucket import PROBES, Bucket
from adapters.blobs.bucket.index import BucketIndex, Place, SharedUsage
from adapters.blobs.bucket.keeping import ObjectKeeper
from adapters.blobs.bucket.ownership import check_own, claim, make_own, marker_in
from adapters.blobs.bucket.reading import BLOCK_BYTES, BlobInBucket
from adapters.blobs.bucket.recovery import Difference, described, reconcile, unindexed
from adapters.blobs.bucket.shared_work import SharedWork
from adapters.blobs.bucket.space import ObjectSpace
from adapters.blobs.digests import Digests
from adapters.blobs.port import (
    BlobFailure,
    StorageUnavailable,
    StoredBlob,
    checked_beginning,
    checked_key,
    checked_prefix,
)
from adapters.blobs.segments.staging import SMALL_BYTES, WAITING_BYTES, Intake, StagedBody, Staging
from adapters.blobs.storage_errors import storage_errors
from adapters.blobs.threads import Threads
from adapters.durable_files import Directories

logger = logging.getLogger(__name__)

_THREADS = 16


class BucketBlobStore:
    """Any number of processes with the same index may use it; each stores, reads and deletes. One of those with the
    same folder calls `recover`, before the others.

    `folder`: for bodies that arrive.
    """

    def __init__(
        self, address: BucketAddress, folder: Path, index: BucketIndex, *, small_bytes: int = SMALL_BYTES
    ) -> None:
        self._bucket = Bucket(address)
        self._incoming = incoming_in(folder)
        self._directories = Directories(folder.absolute())
        with storage_errors():
            self._directories.make_root()
            self._directories.make_durable(self._incoming)
        self._index = index
        self._keeper = ObjectKeeper(self._bucket, self._index)
        self._space = ObjectSpace(self._bucket, self._index)
        self._threads = Threads(_THREADS)
        self._removing = ThreadPoolExecutor(1, thread_name_prefix="removing")
        self._removal = SharedWork(self._space.remove_dead, self._removing)
        self._intake = Intake(self._keeper, self._threads.run, small_bytes=small_bytes, waiting_bytes=WAITING_BYTES)
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
        return self._intake.stage(
            checked_prefix(prefix),
            body,
            partial(self._arrival, prefix, check),
            limit_bytes=limit_bytes,
            announced_bytes=announced_bytes,
            check=check,
        )

    def _arrival(self, prefix: str, check: Callable[[StoredBlob], None] | None) -> BucketArrival:
        return BucketArrival(self._bucket, self._incoming / secrets.token_hex(16), self._directories, prefix, check)

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
                (failure,) = await self._threads.run(self._keeper.make_durable, [staged])
                if failure is not None:
                    raise failure
            return staged.blob

    def put_bytes(self, prefix: str, body: bytes) -> StoredBlob:
        digests = Digests()
        digests.update(body)
        blob = digests.blob(checked_prefix(prefix))
        self._bucket.put(name_of(blob.key), body)
        return blob

    def put_file(self, prefix: str, path: Path) -> StoredBlob:
        checked_prefix(prefix)
        digests = Digests()
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with storage_errors():
            try:
                while block := os.read(descriptor, BLOCK_BYTES):
                    digests.update(block)
            finally:
                os.close(descriptor)
        blob = digests.blob(prefix)
        self._bucket.put_file(name_of(blob.key), path)
        with storage_errors():
            path.unlink()
        return blob

    def open(self, key: str) -> BinaryIO:
        blob = BlobInBucket(self._bucket, checked_key(key), self._place)
        return cast("BinaryIO", io.BufferedReader(blob, BLOCK_BYTES))

    async def read(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        if start < 0 or (length is not None and length < 0):
            raise ValueError("A range must not have a negative start or length.")
        blob = await self._threads.run(BlobInBucket, self._bucket, checked_key(key), self._place)
        end = blob.size_bytes if length is None else min(blob.size_bytes, start + length)
        while start < end:
            block = await self._threads.run(blob.block, start, min(end - start, BLOCK_BYTES))
            yield block
            start += len(block)

    async def size(self, key: str) -> int:
        return (await self._threads.run(self._place, checked_key(key))).size_bytes

    def _place(self, key: str) -> Place:
        """Where the blob is. Raises: BlobNotFound."""
        return self._index.find(key) or Place(name_of(key), 0, self._bucket.size(name_of(key), key=key))

    async def direct_url(self, key: str, lasting: timedelta) -> str | None:
        """None for a blob that shares an object: what is erased of it must not be readable with its neighbours."""
        if await self._threads.run(self._index.find, checked_key(key)) is not None:
            return None
        return await self._threads.run(self._bucket.signed_url, name_of(key), lasting)

    async def delete(self, key: str) -> None:
        await self._erase([checked_key(key)])

    async def erase(self, prefix: str) -> int:
        keys = await self._threads.run(lambda: list(self.keys(prefix)))
        await self._erase(keys)
        return len(keys)

    async def erase_keys(self, keys: Sequence[str]) -> None:
        await self._erase([checked_key(key) for key in keys])

    async def _erase(self, keys: Sequence[str]) -> None:
        """Waits also for what others have asked to be erased before: those that ask together pay once."""
        self._check_open()
        await self._threads.run(check_own, self._bucket, self._index)
        await self._threads.run(self._index.drop, keys)
        await self._threads.run(self._bucket.delete, [name_of(key) for key in keys])
        await self._removal.done()

    def keys(self, prefix: str = "") -> Iterator[str]:
        return self._keys(checked_beginning(prefix))

    def _keys(self, prefix: str) -> Iterator[str]:
        large = set()
        folder = name_of(prefix).rpartition("/")[0]
        for name, _ in self._bucket.sizes(folder):
            key = name.removeprefix(f"{LARGE}/")
            if key.startswith(prefix):
                large.add(key)
                yield key
        yield from (key for key in self._index.keys(prefix) if key not in large)

    async def check_writable(self) -> None:
        name = f"{PROBES}/{secrets.token_hex(16)}"
        await self._threads.run(self._bucket.put, name, bytes(1024))
        await self._threads.run(self._bucket.delete, [name])

    def recover(self) -> int:
        self._index.move_here()
        claim(self._bucket, self._index)
        return self._recover()

    def mend(self, *, take_over: bool) -> Iterator[str]:
        """Make the index say what is in the bucket, and with `take_over` the bucket this index's, whoever had it.

        For a process that owns the store, as `recover` is. Yields a sentence for each difference.
        """
        self._index.move_here()
        if take_over:
            make_own(self._bucket, self._index)
        else:
            claim(self._bucket, self._index)
        yield from reconcile(self._bucket, self._index)

    def differences(self) -> Iterator[Difference]:
        """What index and bucket do not agree on; can be asked beside a running service."""
        if (owner := marker_in(self._bucket)) != self._index.owner():
            whose = "no" if owner is None else "another"
            yield Difference(f"{self._bucket} has {whose} {self._index.owned_by}'s marker.", is_loss=True)
        yield from described(self._bucket, self._index)

    def unindexed_keys(self) -> Iterator[str]:
        """Those of the blobs that are in the bucket, and that nothing finds before the next `recover` or `mend`."""
        return unindexed(self._bucket, self._index)

    def shared_usage(self) -> SharedUsage:
        """What the objects hold that bodies share."""
        return self._index.usage()

    def sizes_of_large(self) -> Iterator[int]:
        """The size of every object that holds one blob."""
        return (size_bytes for _, size_bytes in self._bucket.sizes(LARGE))

    def _recover(self) -> int:
        for sentence in reconcile(self._bucket, self._index):
            logger.warning("index and bucket differed", extra={"difference": sentence})
        probes = [name for name, _ in self._bucket.sizes(PROBES)]
        self._bucket.delete(probes)
        unfinished = discard_unfinished(self._incoming)
        with suppress(RuntimeError):
            self._removing.submit(self._remove_later)
        return len(probes) + unfinished

    def _remove_later(self) -> None:
        with suppress(BlobFailure):  # what is erased next waits for this to succeed
            self._space.remove_dead()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._intake.close)
        await asyncio.to_thread(self._removing.shutdown)
        await self._threads.close()
        await asyncio.to_thread(self._keeper.close)
        await asyncio.to_thread(self._index.close)

    def _check_open(self) -> None:
        if self._closed:
            raise StorageUnavailable("it has been closed")
