"""Keeps in SQLite how far in the log each follower has come.

A position may be older than the work done (a crash may lose the last commits), so a follower's work must be idempotent:
it is done again from there.
"""

import time
from pathlib import Path

from adapters.sqlite_file import connect, is_of_log, writing

SECONDS_BETWEEN_WRITES = 1.0
"""Followers that move with every commit would otherwise cost a transaction each time, on the event loop."""


class PositionStore:
    """Follower name -> log position. Blocking, quick. Positions on disk may be a little older than those known here;
    all followers' are written together."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, durable=False)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS positions (follower TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID"
        )
        self._unwritten: dict[str, int] = {}
        self._written_at = -SECONDS_BETWEEN_WRITES

    def use_for(self, log_identity: str, head: int) -> None:
        """Drop positions of another log, or of a later state of this one: after a restore, they would skip events."""
        with writing(self._connection):
            (furthest,) = self._connection.execute("SELECT coalesce(max(position), 0) FROM positions").fetchone()
            if not is_of_log(self._connection, log_identity) or furthest > head:
                self._connection.execute("DELETE FROM positions")

    def load(self, follower: str) -> int:
        """The last saved position; 0 for a follower that has saved none."""
        if follower in self._unwritten:
            return self._unwritten[follower]
        row = self._connection.execute("SELECT position FROM positions WHERE follower=?", (follower,)).fetchone()
        return 0 if row is None else int(row[0])

    def save(self, follower: str, position: int) -> None:
        """Raises: sqlite3.Error, if it was time to write and could not be; what is known here stays known."""
        self._unwritten[follower] = position
        if time.monotonic() - self._written_at >= SECONDS_BETWEEN_WRITES:
            self._write()

    def _write(self) -> None:
        with writing(self._connection):
            self._connection.executemany("INSERT OR REPLACE INTO positions VALUES (?,?)", self._unwritten.items())
        self._unwritten.clear()
        self._written_at = time.monotonic()

    def close(self) -> None:
        """Write what is not written yet. Raises: sqlite3.Error."""
        if self._unwritten:
            self._write()
        self._connection.close()
