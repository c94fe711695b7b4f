"""A lock of a PostgreSQL database: a session's advisory lock, which ends with its process or machine."""

import threading
from collections.abc import Sequence
from contextlib import suppress

import psycopg

from adapters.database.port import ServerAway
from adapters.postgres.connections import Connection, connect, end_backends, reason

_KEEPALIVE = {"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
"""In seconds. The server ends the session of a machine that is gone within half a minute, and that of a process that
ends at once."""


def open_session(
    url: str, *, lost: Sequence[str], idle_seconds: int = 0, answer_seconds: float | None = None
) -> Connection:
    """A connection for locks that end with its process or machine.

    `lost`: sessions of this process that may still have such locks, or yet get them; they are ended first.
    `idle_seconds`: the server also ends the session after so long without a statement; 0: it does not.
    `answer_seconds`: how long it may take for a statement; None: as usual.

    Raises: psycopg.Error; then nothing is locked.
    """
    connection = connect(url)
    if answer_seconds is not None:
        connection.answer_seconds = answer_seconds
    try:
        if lost:
            end_backends(connection, lost)
        settings = {**_KEEPALIVE, "idle_session_timeout": f"{idle_seconds}s"}
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", [name, value])
    except BaseException:
        connection.close()
        raise
    return connection


class SessionLock:
    """Blocking; for any thread. `number`: which lock, of 63 bits. The rest: see `open_session`."""

    def __init__(self, url: str, number: int, *, idle_seconds: int = 0, answer_seconds: float | None = None) -> None:
        self._url = url
        self._number = number
        self._idle_seconds = idle_seconds
        self._answer_seconds = answer_seconds
        self._lost: list[str] = []
        self._connection: Connection | None = None
        self._one_at_a_time = threading.Lock()

    def take(self) -> bool:
        """Whether it is held now: still, or since this call. Nobody is waited for.

        Raises: ServerAway; then it is not known, and may be asked again.
        """
        with self._one_at_a_time:
            return self._is_still_held() or self._is_taken()

    @property
    def backend(self) -> str:
        """What serves the session that holds it; see `Connection.backend`. Empty while it is not held."""
        connection = self._connection
        return "" if connection is None else connection.backend

    def _is_still_held(self) -> bool:
        if self._connection is None:
            return False
        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error:
            self._lost.append(self._connection.backend)
            self._connection.close()
            self._connection = None
            return False
        return True

    def _is_taken(self) -> bool:
        try:
            connection = open_session(
                self._url, lost=self._lost, idle_seconds=self._idle_seconds, answer_seconds=self._answer_seconds
            )
        except psycopg.Error as error:
            raise self._away(error) from error
        self._lost.clear()
        try:
            found = connection.execute("SELECT pg_try_advisory_lock(%s)", [self._number]).fetchone()
        except psycopg.Error as error:
            self._lost.append(connection.backend)
            connection.close()
            raise self._away(error) from error
        if found is None or not found[0]:
            connection.close()
            return False
        self._connection = connection
        return True

    def _away(self, error: psycopg.Error) -> ServerAway:
        return ServerAway(f"The database cannot be claimed: {reason(error)}.")

    def leave(self) -> None:
        """Somebody else may have it, at once if the server answers. It can be taken again."""
        with self._one_at_a_time:
            if self._connection is not None:
                with suppress(psycopg.Error):  # the lock ends with the session, at the latest
                    self._connection.execute("SELECT pg_advisory_unlock(%s)", [self._number])
                with suppress(psycopg.Error):
                    self._connection.close()
                self._connection = None
