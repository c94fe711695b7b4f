"""Keeps how far in the log each follower has come, in SQLite or PostgreSQL.

A stored position may be older than the work done (a crash may lose the last ones), so a follower's work must be
idempotent: it is done again from there.
"""

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

from adapters.database.log_identity import MADE_FROM, NewestHead, is_of_log
from adapters.database.opening import open_database
from adapters.database.port import Place
from adapters.sqlite_file import DatabaseUnavailable

SECONDS_BETWEEN_WRITES = 1.0
"""Followers that move with every commit would otherwise cost a transaction each time, on the event loop."""

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS positions (follower TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID",
    MADE_FROM,
)

_log = logging.getLogger(__name__)


class PositionStore:
    """Follower name -> log position. Blocking, quick. Stored positions may be a little older than those known here; all
    followers' are written together: to a file at once, to a server in a thread, since it may let one wait."""

    def __init__(self, place: Place) -> None:
        """Raises: DatabaseFull; DatabaseUnavailable; sqlite3.Error; OSError."""
        self._database = open_database(place, durable=False)
        self._database.prepare((_SCHEMA,))
        self._known = self._stored()
        self._unwritten: dict[str, int] = {}
        self._lock = threading.Lock()
        self._written_at = -SECONDS_BETWEEN_WRITES
        self._thread = None if self._database.answers_at_once else ThreadPoolExecutor(1, "positions")
        self._writing: Future[None] | None = None
        self._has_failed = False

    def _stored(self) -> dict[str, int]:
        with self._database.reading() as tables:
            return dict(tables.execute("SELECT follower, position FROM positions").fetchall())

    def use_for(self, log_identity: str, newest_head: NewestHead) -> None:
        """Drop positions of another log, or of a later state of this one: after a restore, they would skip events."""
        with self._database.writing() as tables:
            (furthest,) = tables.execute("SELECT coalesce(max(position), 0) FROM positions").fetchone()
            if not is_of_log(tables, log_identity) or furthest > newest_head():
                tables.execute("DELETE FROM positions")
        self._known = self._stored() | self._unwritten

    def load(self, follower: str) -> int:
        """The last saved position; 0 for a follower that has saved none."""
        return self._known.get(follower, 0)

    def save(self, follower: str, position: int) -> None:
        """What is known here stays known, also if it was time to write and could not be.

        Raises: DatabaseFull; DatabaseUnavailable, if that was a file.
        """
        with self._lock:
            self._known[follower] = self._unwritten[follower] = position
        if time.monotonic() - self._written_at < SECONDS_BETWEEN_WRITES:
            return
        if self._thread is None:
            self._write()
        elif self._writing is None or self._writing.done():
            self._writing = self._thread.submit(self._try_to_write)

    def _try_to_write(self) -> None:
        """In the thread. What cannot be written now is written with a later one."""
        try:
            self._write()
        except DatabaseUnavailable as because:
            if not self._has_failed:
                _log.warning("positions of followers cannot be written", extra={"because": str(because)})
            self._has_failed = True
            self._written_at = time.monotonic()
        else:
            self._has_failed = False

    def _write(self) -> None:
        with self._lock:
            unwritten = dict(self._unwritten)
        with self._database.writing() as tables:
            tables.executemany(
                "INSERT INTO positions VALUES (?,?) ON CONFLICT (follower) DO UPDATE SET position=excluded.position",
                list(unwritten.items()),
            )
        with self._lock:
            self._unwritten = {each: at for each, at in self._unwritten.items() if unwritten.get(each) != at}
        self._written_at = time.monotonic()

    def close(self) -> None:
        """Write what is not written yet; a server that is away gets none of it.

        Raises: DatabaseFull; DatabaseUnavailable, if that was a file.
        """
        try:
            if self._thread is not None:
                self._thread.shutdown()
            if self._unwritten and self._thread is None:
                self._write()
            elif self._unwritten:
                self._try_to_write()
        finally:
            self._database.close()


class PositionsOfAnother(PositionStore):
    """Where the followers of the process that keeps their positions are, for others that do the same work. They begin
    there; how far they are themselves, nobody needs to know."""

    def load(self, follower: str) -> int:
        """The position last written. Raises: DatabaseUnavailable."""
        return self._stored().get(follower, 0)

    def save(self, follower: str, position: int) -> None:
        """Nothing is kept."""
