"""Makes one blob store hold what another holds, also while a service writes to that: what is there stays as it is.

A blob's key ends in the digest of its bytes. So what arrives is checked before it is stored, and what is stored under a
key is known by it.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from itertools import islice

from adapters.blobs.port import BlobNotFound, BlobStore, Staged, StoredBlob
from service.runtime.blob_check import digest_of
from service.runtime.key_set import KeySet

TOGETHER = 512
TOGETHER_BYTES = 16 * 1024 * 1024
"""So many blobs, or bytes, are made durable at once; less than what a store takes in at a time."""

ERASED_AT_ONCE = 1_000
LOOKED_UP_AT_ONCE = 64
_DIGEST_LENGTH = 64


@dataclass(slots=True)
class CopiedBlobs:
    """`damaged`: keys of blobs that the source cannot give as they were stored; they are not copied."""

    copied: int = 0
    copied_bytes: int = 0
    removed: int = 0
    damaged: list[str] = field(default_factory=list)


class BlobsDiffer(Exception):
    """The copy is not what the source has. `str()` is one sentence."""


class _Damaged(Exception):
    pass


async def copy_blobs(source: BlobStore, copy: BlobStore, tell: Callable[[int], None]) -> CopiedBlobs:
    """Store what only the source has, and erase what only the copy has. `tell`: how many are copied so far.

    Raises: StorageFull, StorageUnavailable.
    """
    done, there, wanted = CopiedBlobs(), KeySet(copy.keys()), KeySet()
    missing: list[str] = []
    missing_bytes = 0
    for key in source.keys():  # noqa: SIM118 - no mapping
        wanted.add(key)
        if key in there:
            continue
        try:
            missing_bytes += await source.size(key)
        except BlobNotFound:  # erased meanwhile
            continue
        missing.append(key)
        if len(missing) >= TOGETHER or missing_bytes >= TOGETHER_BYTES:
            await _copy(source, copy, missing, done)
            missing, missing_bytes = [], 0
            tell(done.copied)
    await _copy(source, copy, missing, done)
    tell(done.copied)
    extra = [key for key in copy.keys() if key not in wanted]  # noqa: SIM118
    for start in range(0, len(extra), ERASED_AT_ONCE):
        await copy.erase_keys(extra[start : start + ERASED_AT_ONCE])
    done.removed = len(extra)
    return done


async def _copy(source: BlobStore, copy: BlobStore, keys: Sequence[str], done: CopiedBlobs) -> None:
    async with AsyncExitStack() as held:
        staged: list[Staged] = []
        for key in keys:
            try:
                staged.append(await held.enter_async_context(_staging(source, copy, key, await source.size(key))))
            except BlobNotFound:  # erased meanwhile
                continue
            except _Damaged:
                done.damaged.append(key)
        await _make_durable(staged)
        done.copied += len(staged)
        done.copied_bytes += sum(each.blob.size_bytes for each in staged)


def _staging(source: BlobStore, copy: BlobStore, key: str, size_bytes: int) -> AbstractAsyncContextManager[Staged]:
    def check(arrived: StoredBlob) -> None:
        if arrived.key != key:
            raise _Damaged

    prefix = key[:-_DIGEST_LENGTH]
    return copy.stage(prefix, source.read(key), announced_bytes=size_bytes, check=check)


async def _make_durable(staged: Sequence[Staged]) -> None:
    waiting = [each for each in staged if each.keeper is not None]
    if not waiting:
        return
    keeper = waiting[0].keeper
    assert keeper is not None  # noqa: S101 - by the choice above; a store has one keeper
    for failure in await asyncio.to_thread(keeper.make_durable, waiting):
        if failure is not None:
            raise failure


@dataclass(frozen=True, slots=True)
class SameBlobs:
    """What two stores have in common, which is all."""

    count: int
    size_bytes: int


async def compare_blobs(source: BlobStore, copy: BlobStore) -> SameBlobs:
    """Compare keys, which have the digests, and sizes. Raises: BlobsDiffer; StorageUnavailable."""
    keys, size_bytes = KeySet(), 0
    listed = source.keys()
    while some := list(islice(listed, LOOKED_UP_AT_ONCE)):
        sizes = await asyncio.gather(*(_size(source, key) for key in some), *(_size(copy, key) for key in some))
        for key, size, copied_size in zip(some, sizes[: len(some)], sizes[len(some) :], strict=True):
            keys.add(key)
            if size != copied_size:
                raise BlobsDiffer(f"{key} has {_shown(size)} in the source and {_shown(copied_size)} in the copy.")
            size_bytes += size or 0
    for key in copy.keys():  # noqa: SIM118 - no mapping
        if key not in keys:
            raise BlobsDiffer(f"{key} is in the copy, and the source does not have it.")
    return SameBlobs(len(keys), size_bytes)


async def _size(store: BlobStore, key: str) -> int | None:
    try:
        return await store.size(key)
    except BlobNotFound:
        return None


def _shown(size_bytes: int | None) -> str:
    return "nothing" if size_bytes is None else f"{size_bytes} bytes"


def read_back(copy: BlobStore, tell: Callable[[int], None]) -> int:
    """Read every stored byte; returns the number of blobs. Raises: BlobsDiffer; StorageUnavailable."""
    count = 0
    for count, key in enumerate(copy.keys(), 1):
        actual, _ = digest_of(copy, key)
        if actual != key[-_DIGEST_LENGTH:]:
            raise BlobsDiffer(f"{key} is damaged in the copy: its SHA-256 is {actual}.")
        tell(count)
    return count
