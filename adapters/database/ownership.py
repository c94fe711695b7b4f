"""One service's claim on a PostgreSQL database: a session's advisory lock, which ends with its process or machine."""

import time
from contextlib import suppress

import psycopg

from adapters.database.port import DatabaseInUse, ServerAway
from adapters.event_log.url import place_of
from adapters.postgres.connections import Connection, connect, end_backends, reason

CLAIM_SECONDS = 5.0
"""How long to wait for one that is just ending. PostgreSQL notices at once when a process ends."""

_LOCK = 0x7461_7065_0002
_KEEPALIVE = {"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
"""In seconds. The server ends the session of a machine that is gone within half a minute."""


class DatabaseClaim:
    """Held from its creation until it is closed. Blocking, and for one caller at a time."""

    def __init__(self, url: str) -> None:
        """Raises: DatabaseInUse; ServerAway."""
        self._url = url
        self._lost: list[str] = []
        self._connection: Connection | None = None
        deadline = time.monotonic() + CLAIM_SECONDS
        while not self._claimed():
            if time.monotonic() > deadline:
                raise DatabaseInUse(place_of(url))
            time.sleep(0.1)

    def renew(self) -> None:
        """Look whether it is still held; if its connection is lost, claim the database again.

        Raises: DatabaseInUse if another service was faster; ServerAway, then it may be tried again.
        """
        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
            except psycopg.Error:
                self._lost.append(self._connection.backend)
                self._connection.close()
                self._connection = None
            else:
                return
        if not self._claimed():
            raise DatabaseInUse(place_of(self._url))

    def _claimed(self) -> bool:
        try:
            connection = connect(self._url)
        except psycopg.Error as error:
            raise ServerAway(f"The database cannot be claimed: {reason(error)}.") from error
        try:
            if self._lost:  # whose sessions may still have the lock, or yet get it
                end_backends(connection, self._lost)
                self._lost.clear()
            for name, value in _KEEPALIVE.items():
                connection.execute("SELECT set_config(%s, %s, false)", [name, value])
            found = connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
        except psycopg.Error as error:
            self._lost.append(connection.backend)
            connection.close()
            raise ServerAway(f"The database cannot be claimed: {reason(error)}.") from error
        if found is None or not found[0]:
            connection.close()
            return False
        self._connection = connection
        return True

    def close(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):  # the lock ends with the session, at the latest
                self._connection.close()
