"""Work in a thread that all share who ask for it before it has begun."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from adapters.futures import shared


class SharedWork:
    """`thread`: does one thing after another. However many ask for the work while it waits for its turn, as behind a
    database that does not answer, it is done once for all of them."""

    def __init__(self, work: Callable[[], None], thread: ThreadPoolExecutor) -> None:
        self._work = work
        self._thread = thread
        self._waiting: Future[None] | None = None
        self._lock = Lock()

    async def done(self) -> None:
        """Return once it was done from its beginning to its end after this call. Raises: what the work raises."""
        with self._lock:
            if self._waiting is None:
                self._waiting = self._thread.submit(self._run)
            its = asyncio.wrap_future(self._waiting)
        try:
            await shared(its)
        finally:
            del its  # its error would hold this frame, and its callers'

    def _run(self) -> None:
        with self._lock:
            self._waiting = None
        self._work()
