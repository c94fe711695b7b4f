"""An incoming body: held in memory while it is small and its client quick, else in a file of its own.

A slow client holds no more than SLOW_BYTES of memory, whatever it has sent, and no place in the waiting room: it keeps
nobody else waiting.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence

from adapters.blobs.files.arrival import Arrival
from adapters.blobs.port import BlobTooLarge, StoredBlob
from adapters.blobs.segments.waiting_room import WaitingRoom

SLOW_BYTES = 16 * 1024
PATIENCE_SECONDS = 0.5
_QUICK_BYTES = 256 * 1024
"""A client that sends this much within the time of patience is quick."""
_PIECES_KEPT = 64  # beyond this they are joined: a body that comes byte by byte would take many times its size


class Gathering:
    """One body. Used as a context manager, which releases everything at its end."""

    def __init__(
        self,
        room: WaitingRoom,
        new_arrival: Callable[[], Arrival],
        in_thread: Callable[..., Awaitable[object]],
        *,
        small_bytes: int,
        limit_bytes: int | None,
    ) -> None:
        self._room = room
        self._new_arrival = new_arrival
        self._arrival: Arrival | None = None
        self._in_thread = in_thread
        self._small_bytes = small_bytes
        self._limit_bytes = limit_bytes
        self._most_held_bytes = small_bytes
        self._reserved_bytes = 0
        self._held_bytes = 0
        self._seen_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self.pieces: list[bytes] = []
        self.size_bytes = 0

    async def take(self, body: AsyncIterable[bytes], *, announced_bytes: int | None) -> None:
        """Read the body to its end. Raises: what the body raises; BlobTooLarge; StorageFull, StorageUnavailable."""
        await self._reserve(self._small_bytes if announced_bytes is None else announced_bytes)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(PATIENCE_SECONDS, self._lose_patience, loop)
        try:
            async for piece in body:
                self.size_bytes += len(piece)
                if self._limit_bytes is not None and self.size_bytes > self._limit_bytes:
                    raise BlobTooLarge(self._limit_bytes)
                self._hold(piece)
                if self._held_bytes > self._most_held_bytes:
                    await self._write_out()
        finally:
            self._timer.cancel()
        if self._writing is not None:
            await self._writing

    @property
    def is_in_memory(self) -> bool:
        return self._writing is None

    @property
    def is_small(self) -> bool:
        return self.size_bytes <= self._small_bytes

    async def fetch_back(self) -> None:
        """Bring a small body that came slowly back into memory."""
        await self._reserve(self.size_bytes)
        rest = b"".join(self.pieces)
        written = await self._in_thread(self._file().written)
        self.pieces = [written, rest] if isinstance(written, bytes) else [rest]
        await self._in_thread(self._file().discard)

    async def publish(self) -> StoredBlob:
        """Turn a large body's file into a blob. Raises: what its check does; StorageFull, StorageUnavailable."""
        blob = await self._in_thread(self._file().publish, b"".join(self.pieces))
        assert isinstance(blob, StoredBlob)  # noqa: S101 - what `publish` gives
        self.pieces = []
        return blob

    async def leave(self) -> None:
        """Release memory, room and file. A file that is a blob by now is left alone."""
        self._room.leave(self._reserved_bytes)
        self._reserved_bytes = 0
        self.pieces = []
        if self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])
        if self._arrival is not None and self._arrival.has_file:
            await self._in_thread(self._arrival.discard)

    def _file(self) -> Arrival:
        if self._arrival is None:
            self._arrival = self._new_arrival()
        return self._arrival

    async def _reserve(self, size_bytes: int) -> None:
        self._reserved_bytes += await self._room.enter(min(size_bytes, self._small_bytes))

    def _hold(self, piece: bytes) -> None:
        self.pieces.append(piece)
        self._held_bytes += len(piece)
        if len(self.pieces) > _PIECES_KEPT:
            self.pieces = [b"".join(self.pieces)]

    def _lose_patience(self, loop: asyncio.AbstractEventLoop) -> None:
        is_quick = self.size_bytes - self._seen_bytes >= _QUICK_BYTES
        self._seen_bytes = self.size_bytes
        if is_quick:
            self._timer = loop.call_later(PATIENCE_SECONDS, self._lose_patience, loop)
            return
        self._most_held_bytes = SLOW_BYTES
        self._room.leave(self._reserved_bytes)
        self._reserved_bytes = 0
        if self._held_bytes > SLOW_BYTES:
            self._begin_writing()

    async def _write_out(self) -> None:
        if self._writing is not None:
            await self._writing
        await self._begin_writing()

    def _begin_writing(self) -> "asyncio.Task[None]":
        pieces, self.pieces, self._held_bytes = self.pieces, [], 0
        self._writing = asyncio.ensure_future(self._write(pieces, self._writing))
        return self._writing

    async def _write(self, pieces: Sequence[bytes], before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await before
        await self._in_thread(self._file().write, b"".join(pieces))
