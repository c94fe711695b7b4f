"""Takes the digests of bodies in threads of its own, beside the event loop.

Getting the interpreter's lock back is what costs: a thread asks for it once to take a body and once for each digest of
a piece, and the loop is told of all that were finished meanwhile by one call. An executor's future for each body costs
the loop more time than many a body takes to be hashed.
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
"""So many finished bodies wait for the last of those that were given in with them; the loop is told of all at once."""


@dataclass(slots=True)
class _Order:
    prefix: str
    pieces: Sequence[bytes]
    answer: asyncio.Future[StoredBlob]
    blob: StoredBlob | None = None


class Digesting:
    """Used from one event loop. The threads begin with the first body."""

    def __init__(self, *, threads: int) -> None:
        self._thread_count = threads
        self._threads: list[threading.Thread] = []
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._finished: deque[_Order] = deque()
        self._is_telling = False

    async def digested(self, prefix: str, pieces: Sequence[bytes]) -> StoredBlob:
        """The body of these pieces as the blob that it would be under `prefix`."""
        if not self._threads:
            self._begin()
        answer: asyncio.Future[StoredBlob] = asyncio.get_running_loop().create_future()
        self._orders.put(_Order(prefix, pieces, answer))
        return await answer

    def _begin(self) -> None:
        for number in range(self._thread_count):
            thread = threading.Thread(target=self._work, name=f"digests_{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            order.blob = describe(order.prefix, order.pieces)
            self._finished.append(order)
            is_time = self._orders.empty() or len(self._finished) >= _MOST_KEPT_BACK
            if is_time and not self._is_telling:  # else the call that is on its way finds this one, too
                self._is_telling = True
                order.answer.get_loop().call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._is_telling = False  # before looking: what is finished from now on has a call of its own
        while self._finished:
            order = self._finished.popleft()
            if order.blob is not None and not order.answer.done():
                order.answer.set_result(order.blob)

    def close(self) -> None:
        """Blocking: wait for what is being hashed. Nobody may be waiting for a body any more."""
        for _ in self._threads:
            self._orders.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()


def describe(prefix: str, pieces: Iterable[bytes]) -> StoredBlob:
    """The body of these pieces as the blob that it would be under `prefix`."""
    digests = Digests()
    for piece in pieces:
        digests.update(piece)
    return digests.blob(prefix)
