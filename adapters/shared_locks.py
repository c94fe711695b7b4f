"""Locks by key for several processes: each is a byte of one file. The system frees those of a process that ends.

Nothing is written to the file. A byte's place is 62 bits of the key's digest, so no two keys share one by chance.
"""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.own_locks import OwnLocks

FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.001, 0.05
"""How long to wait before looking again whether another process's lock is free; each time twice as long."""


class SharedLocks:
    """For one event loop of each process, which opens the file once: closing it anywhere in a process frees all of the
    process's locks. Raises: OSError."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._own = OwnLocks[int]()

    @asynccontextmanager
    async def of(self, key: str) -> AsyncIterator[None]:
        """Entered by one at a time, in whatever process. Within a process, in the order of asking."""
        place = _place(key)
        async with self._own.of(place):
            await self._take(place)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

    async def _take(self, place: int) -> None:
        """Looks from time to time: a thread that waited could not be given up when the request is."""
        wait_seconds = FIRST_LOOK_SECONDS
        while True:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            except (BlockingIOError, PermissionError):  # POSIX leaves open which of the two
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, LONGEST_LOOK_SECONDS)
            else:
                return

    def close(self) -> None:
        os.close(self._file)


def _place(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big") >> 2
