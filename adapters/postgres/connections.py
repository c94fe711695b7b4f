"""Connections to one PostgreSQL database, opened when they are needed, used again, and replaced when they are lost."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import pq
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo

T = TypeVar("T")

LOCK_SECONDS = 10
"""How long a statement waits for a lock before it fails."""

ANSWER_SECONDS = 15.0
"""How long a statement may take, as seen from here. A server that is stopped, or was cut off, tells nobody."""

END_SECONDS = 5.0
"""How long to wait until the server has ended what a lost connection was doing."""

SLOW_SECONDS = 1.0
"""When connecting failed after this long, others that need a connection within the same time again fail at once: else
they would wait one after another, each for as long."""

MOST_IDLE = 8
"""So many connections are kept open for later work; the others are closed after theirs."""

IDLE_IN_TRANSACTION_SECONDS = 60
"""After how long without a statement the server ends a transaction: a process that hangs must not hold up others."""

_UNLESS_THE_URL_SAYS: dict[str, str | int] = {
    "application_name": "tapedeck",
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "target_session_attrs": "read-write",
}
"""A connection that was cut without a word is noticed after half a minute."""

_LOST = ("08", "57P", "25006")
"""How an SQLSTATE begins after which another connection may do better: lost, shutting down, a standby by now."""


_END = """
SELECT coalesce(bool_and(pg_terminate_backend(pid, %s)), true) FROM pg_stat_activity
WHERE pid || ' ' || extract(epoch FROM backend_start) = ANY(%s)
"""

_LEFT = """
SELECT count(*) FROM pg_stat_activity WHERE pid || ' ' || extract(epoch FROM backend_start) = ANY(%s)
"""


class NotEnded(psycopg.OperationalError):
    """What a lost connection was doing still runs on the server, and may yet take effect."""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """One that gives up a statement that takes too long. It is closed then, and the statement may yet take effect."""

    answer_seconds: float | None = None
    """None: a statement may take as long as it needs."""

    backend = ""
    """What serves it: the process's id and when it began, so that no later process is meant."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """See `psycopg.Connection`. Raises: psycopg.OperationalError after `answer_seconds`."""
        if timeout is not None or self.answer_seconds is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_seconds)
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 - there is no other name for it
            self.close()
            raise psycopg.OperationalError(f"no answer within {self.answer_seconds:g} seconds") from None


def connect(url: str, *, schema: str | None = None) -> Connection:
    """A connection that commits each statement at once, unless a transaction is begun. What it commits is durable.

    `schema`: where it finds and makes what a statement names without a schema.

    Raises: psycopg.Error.
    """
    given = conninfo_to_dict(url)
    defaults = {name: value for name, value in _UNLESS_THE_URL_SAYS.items() if name not in given}
    try:
        connection = Connection.connect(make_conninfo(url, **defaults), autocommit=True)
    except OSError as error:  # such as no descriptor for what waits for the answer
        raise psycopg.OperationalError(f"cannot connect: {error.strerror or error}") from error
    connection.answer_seconds = ANSWER_SECONDS
    try:
        _set_up(connection, {} if schema is None else {"search_path": schema})
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: Connection, more: Mapping[str, str]) -> None:
    settings = {
        "lock_timeout": f"{LOCK_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
        "default_transaction_isolation": "read committed",  # a function that waits for a lock must then see what is new
        "timezone": "UTC",
        **more,
    }
    asked = "SELECT current_setting('synchronous_commit'), pid || ' ' || extract(epoch FROM backend_start)"
    found = connection.execute(f"{asked} FROM pg_stat_activity WHERE pid = pg_backend_pid()").fetchone()
    if found is None:
        raise psycopg.OperationalError("this connection is not in pg_stat_activity")
    if found[0] in ("off", "local"):
        settings["synchronous_commit"] = "on"
    connection.backend = found[1]
    wanted = ", ".join(["set_config(%s, %s, false)"] * len(settings))
    connection.execute(f"SELECT {wanted}", [text for setting in settings.items() for text in setting])


class Connections:
    """For threads: each piece of work has a connection to itself.

    What a lost connection was doing is ended on the server before any other work, so that it cannot take effect later:
    what is read then stays true.
    """

    def __init__(self, url: str, *, schema: str | None = None) -> None:
        """`schema`: see `connect`."""
        self._url = url
        self._schema = schema
        self._idle: list[Connection] = []
        self._lost: list[str] = []
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._not_before, self._because = 0.0, ""
        self._closed = False

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do `work` on a connection; once more on a new one, if one that was used before turns out to be lost.

        So `work` must be such that it may be done twice: the first time may have committed.

        Raises: psycopg.Error; what `work` raises.
        """
        connection, done = self._done_on_one(work)
        self._give_back(connection)
        return done

    @contextmanager
    def transaction(self, beginning: str = "BEGIN") -> Iterator[Connection]:
        """A block with a transaction, which commits at its end and is rolled back if the block raises.

        The block runs once, and only when the server has just answered `beginning`: BEGIN, and what is to follow at
        once. If the connection is lost later, it is not known whether the transaction commits.

        Raises: psycopg.Error; what the block raises.
        """
        connection, _ = self._done_on_one(lambda each: each.execute(beginning, prepare=False).close())
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            self._roll_back(connection)
            raise
        self._give_back(connection)

    def _roll_back(self, connection: Connection) -> None:
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error as error:
            self._put_away(connection, error)
        else:
            self._give_back(connection)

    def _done_on_one(self, work: Callable[[Connection], T]) -> tuple[Connection, T]:
        """The connection stays taken."""
        used_before = self._take()
        if used_before is not None:
            try:
                return used_before, self._on(used_before, work)
            except psycopg.Error as error:
                if not is_lost(used_before, error):
                    raise
                self._discard_idle()  # most likely the server went away, and all of them with it
        connection = self._connected()
        return connection, self._on(connection, work)

    def _connected(self) -> Connection:
        with self._connecting:
            began = time.monotonic()
            if began < self._not_before:
                raise psycopg.OperationalError(self._because)
            try:
                return connect(self._url, schema=self._schema)
            except psycopg.OperationalError as error:
                failed_at = time.monotonic()
                if failed_at - began >= SLOW_SECONDS:
                    self._not_before, self._because = failed_at + SLOW_SECONDS, reason(error)
                raise

    def _on(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        try:
            if self._lost:
                self._end(connection, list(self._lost))
            return work(connection)
        except psycopg.Error as error:
            self._put_away(connection, error)
            raise
        except BaseException:
            connection.close()
            raise

    def _put_away(self, connection: Connection, error: psycopg.Error) -> None:
        """After an error: what a lost connection was doing is to be ended."""
        if is_lost(connection, error):
            with self._lock:
                self._lost.append(connection.backend)
            connection.close()
        else:
            self._give_back(connection)

    def _end(self, connection: Connection, backends: Sequence[str]) -> None:
        """Return when these have ended, whatever they were doing. Raises: NotEnded."""
        end_backends(connection, backends)
        with self._lock:
            self._lost = [backend for backend in self._lost if backend not in backends]

    def _take(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            is_idle = connection.info.transaction_status == pq.TransactionStatus.IDLE
            if is_idle and not self._closed and len(self._idle) < MOST_IDLE:
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


def end_backends(connection: Connection, backends: Sequence[str]) -> None:
    """Return when what served these connections has ended, whatever it was doing. Raises: NotEnded."""
    found = connection.execute(_END, (int(END_SECONDS * 1_000), backends)).fetchone()
    if found == (True,):
        return
    # One that ended by itself, just after it was found, could not be told to.
    if connection.execute(_LEFT, (backends,)).fetchone() != (0,):
        raise NotEnded("what a lost connection was doing still runs on the server")


def is_lost(connection: Connection, error: psycopg.Error) -> bool:
    """Whether another connection may do better."""
    return connection.closed or (error.sqlstate or "").startswith(_LOST)


def is_away(error: psycopg.Error) -> bool:
    """Whether the server could not be reached, or is about to end."""
    return error.sqlstate is None or error.sqlstate.startswith(_LOST)


def reason(error: psycopg.Error) -> str:
    """What went wrong, in one line without a full stop."""
    said = error.diag.message_primary or next(iter(str(error).splitlines()), "") or type(error).__name__
    return said.strip().rstrip(".")
