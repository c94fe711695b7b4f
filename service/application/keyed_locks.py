"""A lock for each key, for as long as somebody holds it or waits for it."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from adapters.own_locks import OwnLocks


class Locks(Protocol):
    """Locks by key: within one process, or for several."""

    def of(self, key: str) -> AbstractAsyncContextManager[None]:
        """Entered by one at a time of all who ask for the lock of this key."""
        ...


KeyedLocks = OwnLocks[str]
"""Within one process, and one event loop."""
