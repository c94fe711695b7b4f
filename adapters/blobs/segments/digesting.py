"""Computes the digests of bodies in threads of its own, beside the event loop.

The cost is waking a thread, and getting the interpreter's lock back. So the bodies of one turn of the loop wake a
thread together, and one call reports to the loop all that are finished meanwhile. An executor's future per body would
cost the loop more time than hashing many a body takes.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from adapters.blobs.digests import Digests
from adapters.blobs.port import StoredBlob

_MOST_KEPT_BACK = 8
"""At most this many finished bodies wait for the last of those submitted with them; the loop gets them all at once."""


@dataclass(slots=True)
class _Order:
    prefix: str
    pieces: Sequence[bytes]
    answer: asyncio.Future[StoredBlob]
    blob: StoredBlob | None = None


class Digesting:
    """Used from one event loop. The threads start with the first body."""

    def __init__(self, *, threads: int) -> None:
        self._thread_count = threads
        self._threads: list[threading.Thread] = []
        self._gathered: list[_Order] = []
        self._orders: SimpleQueue[list[_Order] | None] = SimpleQueue()
        self._finished: deque[_Order] = deque()
        self._is_telling = False

    async def digested(self, prefix: str, pieces: Sequence[bytes]) -> StoredBlob:
        """The blob that a body of these pieces would be under `prefix`."""
        if not self._threads:
            self._begin()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[StoredBlob] = loop.create_future()
        if not self._gathered:
            loop.call_soon(self._hand_over)
        self._gathered.append(_Order(prefix, pieces, answer))
        return await answer

    def _hand_over(self) -> None:
        """Each thread gets its part of what this turn of the loop has gathered."""
        gathered, self._gathered = self._gathered, []
        for first in range(min(self._thread_count, len(gathered))):
            self._orders.put(gathered[first :: self._thread_count])

    def _begin(self) -> None:
        for number in range(self._thread_count):
            thread = threading.Thread(target=self._work, name=f"digests_{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _work(self) -> None:
        while (orders := self._orders.get()) is not None:
            last = orders[-1]
            for order in orders:
                order.blob = describe(order.prefix, order.pieces)
                self._finished.append(order)
                is_time = (order is last and self._orders.empty()) or len(self._finished) >= _MOST_KEPT_BACK
                if is_time and not self._is_telling:  # else the pending call finds this one, too
                    self._is_telling = True
                    order.answer.get_loop().call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._is_telling = False  # before looking: what finishes from now on gets a call of its own
        while self._finished:
            order = self._finished.popleft()
            if order.blob is not None and not order.answer.done():
                order.answer.set_result(order.blob)

    def close(self) -> None:
        """Blocking: wait for hashing under way. Nobody may be waiting for a body any more."""
        for _ in self._threads:
            self._orders.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()


def describe(prefix: str, pieces: Iterable[bytes]) -> StoredBlob:
    """The blob that a body of these pieces would be under `prefix`."""
    digests = Digests()
    for piece in pieces:
        digests.update(piece)
    return digests.blob(prefix)
