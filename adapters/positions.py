"""Keeps in SQLite how far in the log each follower has come.

A position may be older than the work done (a crash may lose the last commits), so a follower's work must be idempotent:
it is done again from there.
"""

import time
from pathlib import Path

from adapters.sqlite_file import connect, is_of_log, writing

SECONDS_BETWEEN_WRITES = 0.5
"""A follower that moves with every commit would otherwise cost a transaction each time, on the event loop."""


class PositionStore:
    """Follower name -> log position. Blocking, quick. The position on disk may be a little older than the known one."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, durable=False)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS positions (follower TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID"
        )
        self._unwritten: dict[str, int] = {}
        self._written_at: dict[str, float] = {}

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
        self._unwritten[follower] = position
        now = time.monotonic()
        if now - self._written_at.get(follower, -SECONDS_BETWEEN_WRITES) >= SECONDS_BETWEEN_WRITES:
            self._written_at[follower] = now
            self._write(follower)

    def _write(self, follower: str) -> None:
        with writing(self._connection):
            self._connection.execute(
                "INSERT OR REPLACE INTO positions VALUES (?,?)", (follower, self._unwritten.pop(follower))
            )

    def close(self) -> None:
        for follower in list(self._unwritten):
            self._write(follower)
        self._connection.close()
