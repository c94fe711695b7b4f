"""One service's claim on a PostgreSQL database."""

import time

from adapters.database.port import DatabaseInUse
from adapters.database.session_lock import SessionLock
from adapters.event_log.url import place_of

CLAIM_SECONDS = 5.0
"""How long to wait for one that is just ending. PostgreSQL notices at once when a process ends."""

LOCK = 0x7461_7065_0002
"""Whoever holds it has the database: a service that is alone, or that of several hosts which leads."""


class DatabaseClaim:
    """Held from its creation until it is closed. Blocking, and for one caller at a time."""

    def __init__(self, url: str) -> None:
        """Raises: DatabaseInUse; ServerAway."""
        self._url = url
        self._lock = SessionLock(url, LOCK)
        deadline = time.monotonic() + CLAIM_SECONDS
        while not self._lock.take():
            if time.monotonic() > deadline:
                raise DatabaseInUse(place_of(url))
            time.sleep(0.1)

    def renew(self) -> None:
        """Look whether it is still held; if its connection is lost, claim the database again.

        Raises: DatabaseInUse if another service was faster; ServerAway, then it may be tried again.
        """
        if not self._lock.take():
            raise DatabaseInUse(place_of(self._url))

    def close(self) -> None:
        self._lock.leave()
