"""Keeps in SQLite what each project takes up of its quotas: rows and the log position that they reflect change in one
transaction.

So each event takes effect exactly once. The view can always be rebuilt from the log; therefore a commit does not wait
until it is on disk, and a file with another schema version is emptied and filled from the log again.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.database.log_identity import is_of_log
from adapters.event_log.mapper import RecordedEvent
from adapters.rebuilding import PositionMoved, one_rebuild
from adapters.sqlite_file import connect, errors_named, writing
from adapters.usage_folding import COUNTS, TABLES, Folding

SCHEMA_VERSION = 3
"""Increase this with every change to the tables, or to what `domain.usage` makes of an event."""

_LIVE, _NEXT = "", "_next"

ReadEvents = Callable[[int], Sequence[RecordedEvent]]
"""Returns the next events after a position, in order; none at the end."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a project takes up. `kept_bytes`: of its recordings and ordered notes, as `domain.usage` counts them.
    `sessions`: how often an ambient session was announced, or changed."""

    kept_bytes: int = 0
    open_recordings: int = 0
    recordings: int = 0
    waiting_notes: int = 0
    sessions: int = 0


@dataclass(frozen=True, slots=True)
class UsageAt:
    """`position`: of the last event that it reflects."""

    usage: Usage
    position: int


class UsageStore:
    """The usage of all projects. Blocking: write in a thread; `of` and `largest` are quick look-ups.

    Several processes may write: each says which position it continues from, and only one of them can be right.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = connect(path, durable=False)
        self._reader = connect(path, durable=False)
        # Held while a connection is used: a call in a thread runs on when its caller is gone, and closing waits for it.
        self._writing, self._reading = threading.Lock(), threading.Lock()
        with self._transaction():
            self._writer.execute(
                "CREATE TABLE IF NOT EXISTS reflects (position INTEGER NOT NULL, schema INTEGER NOT NULL)"
            )
            row = self._writer.execute("SELECT schema FROM reflects").fetchone()
            if row is None or row[0] != SCHEMA_VERSION:
                self._begin_anew()

    def _begin_anew(self) -> None:
        for suffix in (_NEXT, _LIVE):
            _drop_tables(self._writer, suffix)
        _create_tables(self._writer, _LIVE)
        _create_indexes(self._writer)
        self._writer.execute("DELETE FROM reflects")
        self._writer.execute("INSERT INTO reflects VALUES (0, ?)", (SCHEMA_VERSION,))

    def use_for(self, log_identity: str, head: int) -> None:
        """Start over when the rows are from another log, or from a later state of this one, as after a restore."""
        with self._transaction():
            if not is_of_log(self._writer, log_identity) or _position(self._writer) > head:
                self._begin_anew()

    def position(self) -> int:
        """The position of the last event that the rows reflect; 0 for an empty view."""
        with self._reading:
            return _position(self._reader)

    def of(self, project_id: str) -> UsageAt:
        """What the project takes up; nothing if none of its events is known. Raises: DatabaseUnavailable."""
        with self._reading, errors_named("The view of what projects use"):
            row = self._reader.execute(_OF_ONE, (project_id,)).fetchone()
        position, *counts = row
        return UsageAt(Usage(*(count or 0 for count in counts)), position)

    def largest(self, limit: int) -> list[tuple[str, Usage]]:
        """The projects that keep most bytes, the largest first."""
        with self._reading:
            rows = self._reader.execute(_LARGEST, (limit,)).fetchall()
        return [(project_id, Usage(*counts)) for project_id, *counts in rows]

    def apply(self, events: Sequence[RecordedEvent], *, after: int) -> None:
        """Fold `events`, which follow position `after`, into the rows.

        Raises: PositionMoved when the view is not at `after`; then nothing is written.
        """
        with self._transaction():
            if _position(self._writer) != after:
                raise PositionMoved
            Folding(self._writer, _LIVE).fold(events)
            _set_position(self._writer, events[-1].position)

    def rebuild(self, read: ReadEvents) -> int:
        """Rebuild the view from the log's first event; the old rows are in use until the new ones are complete.

        Returns: the position that it then reflects. Raises: RebuildRunning.
        """
        with one_rebuild(self._path):
            return self._rebuild(read)

    def _rebuild(self, read: ReadEvents) -> int:
        with self._transaction():
            _drop_tables(self._writer, _NEXT)
            _create_tables(self._writer, _NEXT)
        position = 0
        while events := read(position):
            with self._transaction():
                Folding(self._writer, _NEXT).fold(events)
            position = events[-1].position
        with self._transaction():  # what was recorded meanwhile, while every other writer of the view waits
            while events := read(position):
                Folding(self._writer, _NEXT).fold(events)
                position = events[-1].position
            _drop_tables(self._writer, _LIVE)
            for table in TABLES:
                self._writer.execute(f"ALTER TABLE {table}{_NEXT} RENAME TO {table}")
            _create_indexes(self._writer)
            _set_position(self._writer, position)
        return position

    def close(self) -> None:
        """Wait for current reads and writes, then close the file."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._writing, writing(self._writer):
            yield


_OF_ONE = f"SELECT position, {', '.join(COUNTS)} FROM reflects LEFT JOIN project_usage ON project_id=?"  # noqa: S608
_LARGEST = f"SELECT project_id, {', '.join(COUNTS)} FROM project_usage ORDER BY kept_bytes DESC LIMIT ?"  # noqa: S608


def _create_tables(connection: sqlite3.Connection, suffix: str) -> None:
    for table, columns in TABLES.items():
        connection.execute(f"CREATE TABLE {table}{suffix} ({columns}) WITHOUT ROWID")


def _drop_tables(connection: sqlite3.Connection, suffix: str) -> None:
    for table in TABLES:
        connection.execute(f"DROP TABLE IF EXISTS {table}{suffix}")


def _create_indexes(connection: sqlite3.Connection) -> None:
    """`largest` reads the first; a deleted recording's orders are found by the second."""
    connection.execute("CREATE INDEX usage_by_bytes ON project_usage (kept_bytes)")
    connection.execute("CREATE INDEX order_usage_by_recording ON order_usage (recording_id)")


def _position(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT position FROM reflects").fetchone()[0])


def _set_position(connection: sqlite3.Connection, position: int) -> None:
    connection.execute("UPDATE reflects SET position=?", (position,))
