"""The locks of blobs of several simulated processes: they end with their process, as those of one machine do.

Those in PostgreSQL can be lost before that, with their session: `tests/adapters/database/test_keyed_locks.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from adapters.own_locks import OwnLocks
from adapters.shared_locks import FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS


class MemorySettling:
    """`Locks` of one process. `holders`: by key, whose the lock is, for all processes."""

    def __init__(self, holders: dict[str, "MemorySettling"], is_alive: Callable[[], bool]) -> None:
        self.is_alive = is_alive
        self._holders = holders
        self._own = OwnLocks[str]()

    @asynccontextmanager
    async def of(self, key: str) -> AsyncIterator[None]:
        """Entered by one at a time, in whatever process. Looks from time to time, as `SharedLocks` does."""
        async with self._own.of(key):
            wait_seconds = FIRST_LOOK_SECONDS
            while (holder := self._holders.get(key)) is not None and holder.is_alive():
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, LONGEST_LOOK_SECONDS)
            self._holders[key] = self
            try:
                yield
            finally:
                if self._holders.get(key) is self:
                    del self._holders[key]
