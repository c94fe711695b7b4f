"""A lock for each key, for as long as somebody holds it or waits for it."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from weakref import WeakValueDictionary


class Locks(Protocol):
    """Locks by key: within one process, or for several."""

    def of(self, key: str) -> AbstractAsyncContextManager[None]:
        """Entered by one at a time of all who ask for the lock of this key."""
        ...


class KeyedLocks:
    """Within one process, and one event loop."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: str) -> asyncio.Lock:
        """The lock of this key, which is the same for all who ask while one of them has it."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock
