"""Takes bodies in: a small one is staged, for its keeper to make durable with others; a large one is a blob at once."""

import os
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from adapters.blobs.files.arrival import Arrival
from adapters.blobs.port import DurableBlob, StoredBlob
from adapters.blobs.segments.digesting import Digesting, describe
from adapters.blobs.segments.gathering import Gathering
from adapters.blobs.segments.waiting_room import WaitingRoom
from adapters.staged_bytes import Keeper

SMALL_BYTES = 256 * 1024
"""Up to this size a body shares a segment with others."""

WAITING_BYTES = 32 * 1024 * 1024
"""All incoming bodies together; beyond this, requests wait."""

QUICKLY_HASHED_BYTES = 16 * 1024
"""Up to this size computing the digests costs less than a hop to a thread and back."""

HASHING_THREADS = max(1, min(4, (os.cpu_count() or 2) - 1))
"""One core is for the event loop; one thread more than there are cores only wakes another that is cold."""

_HASHED_UNDER_THE_LOCK = 2047


@dataclass(slots=True)
class StagedBody:
    """A small body in memory, with its digests computed. Nothing of it is stored before its keeper makes it durable."""

    blob: StoredBlob
    pieces: Sequence[bytes]
    keeper: Keeper

    @property
    def size_bytes(self) -> int:
        return self.blob.size_bytes


class Intake:
    """Used from one event loop. `in_thread` runs blocking work in a thread of the store's."""

    def __init__(
        self, keeper: Keeper, in_thread: Callable[..., Awaitable[object]], *, small_bytes: int, waiting_bytes: int
    ) -> None:
        self._keeper = keeper
        self._in_thread = in_thread
        self._small_bytes = small_bytes
        self._room = WaitingRoom(waiting_bytes)
        self._digesting = Digesting(threads=HASHING_THREADS)

    def stage(
        self,
        prefix: str,
        body: AsyncIterable[bytes],
        new_arrival: Callable[[], Arrival],
        *,
        limit_bytes: int | None,
        announced_bytes: int | None,
        check: Callable[[StoredBlob], None] | None,
    ) -> "Staging":
        """See `BlobStore.stage`. `new_arrival`: the way of a large body, or of one that comes slowly."""
        gathering = Gathering(
            self._room, new_arrival, self._in_thread, small_bytes=self._small_bytes, limit_bytes=limit_bytes
        )

        async def staged() -> StagedBody | DurableBlob:
            await gathering.take(body, announced_bytes=announced_bytes)
            if not gathering.is_small:
                return DurableBlob(await gathering.publish())
            if not gathering.is_in_memory:
                await gathering.fetch_back()
            blob = await self._digested(prefix, gathering.pieces, gathering.size_bytes)
            if check is not None:
                check(blob)
            return StagedBody(blob, gathering.pieces, self._keeper)

        return Staging(gathering, staged)

    async def _digested(self, prefix: str, pieces: Sequence[bytes], size_bytes: int) -> StoredBlob:
        if size_bytes <= QUICKLY_HASHED_BYTES:
            return describe(prefix, _slices(pieces))
        return await self._digesting.digested(prefix, pieces)

    def close(self) -> None:
        """Blocking: wait for hashing under way."""
        self._digesting.close()


class Staging:
    """The block of a staged body. No generator: the event loop keeps account of those, which costs more than this."""

    def __init__(self, gathering: Gathering, staged: Callable[[], Awaitable[StagedBody | DurableBlob]]) -> None:
        self._gathering = gathering
        self._staged = staged

    async def __aenter__(self) -> StagedBody | DurableBlob:
        try:
            return await self._staged()
        except BaseException:
            await self._gathering.leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self._gathering.leave()


def _slices(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """From 2048 bytes on hashlib releases the GIL, and getting it back costs more than hashing so little."""
    for piece in pieces:
        for start in range(0, len(piece), _HASHED_UNDER_THE_LOCK):
            yield piece[start : start + _HASHED_UNDER_THE_LOCK]
