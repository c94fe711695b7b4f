"""Connections to one PostgreSQL database, opened when they are needed, used again, and replaced when they are lost."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]

LOCK_SECONDS = 10
"""How long a statement waits for a lock before it fails."""

IDLE_IN_TRANSACTION_SECONDS = 60
"""After how long without a statement the server ends a transaction: a process that hangs must not hold up others."""

_UNLESS_THE_URL_SAYS: dict[str, str | int] = {
    "application_name": "tapedeck",
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "target_session_attrs": "read-write",
}
"""A connection that was cut without a word is noticed after half a minute."""

_LOST = ("08", "57P", "25006")
"""How an SQLSTATE begins after which another connection may do better: lost, shutting down, a standby by now."""


def connect(url: str) -> Connection:
    """A connection that commits each statement at once, unless a transaction is begun. What it commits is durable.

    Raises: psycopg.Error.
    """
    given = conninfo_to_dict(url)
    defaults = {name: value for name, value in _UNLESS_THE_URL_SAYS.items() if name not in given}
    connection = psycopg.connect(make_conninfo(url, **defaults), autocommit=True)
    try:
        _set_up(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: Connection) -> None:
    settings = {
        "lock_timeout": f"{LOCK_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
        "default_transaction_isolation": "read committed",  # a function that waits for a lock must then see what is new
        "timezone": "UTC",
    }
    found = connection.execute("SELECT current_setting('synchronous_commit')").fetchone()
    if found is not None and found[0] in ("off", "local"):
        settings["synchronous_commit"] = "on"
    wanted = ", ".join(["set_config(%s, %s, false)"] * len(settings))
    connection.execute(f"SELECT {wanted}", [text for setting in settings.items() for text in setting])


class Connections:
    """For threads: each piece of work has a connection to itself."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do `work` on a connection; once more on a new one, if one that was used before turns out to be lost.

        So `work` must be such that it may be done twice: the first time may have committed.

        Raises: psycopg.Error; what `work` raises.
        """
        used_before = self._take()
        if used_before is not None:
            try:
                return self._on(used_before, work)
            except psycopg.Error as error:
                if not _is_lost(used_before, error):
                    raise
                self._discard_idle()  # most likely the server went away, and all of them with it
        return self._on(connect(self._url), work)

    def _on(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        try:
            done = work(connection)
        except psycopg.Error as error:
            if _is_lost(connection, error):
                connection.close()
            else:
                self._give_back(connection)
            raise
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return done

    def _take(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed and connection.info.transaction_status == pq.TransactionStatus.IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def _discard_idle(self) -> None:
        with self._lock:
            discarded, self._idle = self._idle, []
        for connection in discarded:
            connection.close()

    def close(self) -> None:
        """Close the connections that are idle; each of the others after its work."""
        with self._lock:
            self._closed = True
        self._discard_idle()


def _is_lost(connection: Connection, error: psycopg.Error) -> bool:
    return connection.closed or (error.sqlstate or "").startswith(_LOST)


def reason(error: psycopg.Error) -> str:
    """What went wrong, in one line without a full stop."""
    said = error.diag.message_primary or next(iter(str(error).splitlines()), "") or type(error).__name__
    return said.strip().rstrip(".")
