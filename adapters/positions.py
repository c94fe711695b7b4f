"""Keeps how far in the log each follower has come, in SQLite.

A position may be older than the work done (after a crash, the last commits may be lost): a follower's work must be
idempotent, and is done again from there.
"""

from pathlib import Path

from adapters.sqlite_file import connect, is_of_log, writing


class PositionStore:
    """Follower name -> log position. Blocking, quick."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, durable=False)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS positions (follower TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID"
        )

    def use_for(self, log_identity: str, head: int) -> None:
        """Forget positions of another log, or of a later state of this one: after a restore, they would skip events."""
        with writing(self._connection):
            (furthest,) = self._connection.execute("SELECT coalesce(max(position), 0) FROM positions").fetchone()
            if not is_of_log(self._connection, log_identity) or furthest > head:
                self._connection.execute("DELETE FROM positions")

    def load(self, follower: str) -> int:
        """The position saved last; 0 for a follower that has saved none."""
        row = self._connection.execute("SELECT position FROM positions WHERE follower=?", (follower,)).fetchone()
        return 0 if row is None else int(row[0])

    def save(self, follower: str, position: int) -> None:
        with writing(self._connection):
            self._connection.execute("INSERT OR REPLACE INTO positions VALUES (?,?)", (follower, position))

    def close(self) -> None:
        self._connection.close()
