"""Bounds the bytes of all incoming bodies; when it is full, newcomers wait, first come, first served.

Used from one event loop.
"""

import asyncio
from collections import deque


class WaitingRoom:
    """Room for `size_bytes`. A larger body is admitted when it has the room to itself."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.taken_bytes = 0

    async def enter(self, size_bytes: int) -> int:
        """Wait for room; returns the number of bytes to leave with."""
        size_bytes = min(size_bytes, self._size_bytes)
        if not self._queue and self.taken_bytes + size_bytes <= self._size_bytes:
            self.taken_bytes += size_bytes
            return size_bytes
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((size_bytes, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(size_bytes)
            else:
                self._let_in()  # this one may have kept smaller ones behind it waiting
            raise
        return size_bytes

    def leave(self, size_bytes: int) -> None:
        self.taken_bytes -= size_bytes
        self._let_in()

    def _let_in(self) -> None:
        while self._queue:
            size_bytes, turn = self._queue[0]
            if not turn.done():
                if self.taken_bytes + size_bytes > self._size_bytes:
                    return
                self.taken_bytes += size_bytes
                turn.set_result(None)
            self._queue.popleft()
