"""Keeps in SQLite what each project takes up of its quotas: rows and the log position that they reflect change in one
transaction.

So each event takes effect exactly once. The view can always be rebuilt from the log; therefore a commit does not wait
until it is on disk, and a file with another schema version is emptied and filled from the log again.
"""

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from adapters.event_log.mapper import RecordedEvent
from adapters.rebuilding import PositionMoved, one_rebuild
from adapters.sqlite_file import connect, errors_named, is_of_log, writing
from domain.events import NoteOrderEvent, RecordingDeleted, RecordingEvent
from domain.usage import OrderUsage, RecordingUsage, evolve_order_usage, evolve_recording_usage

SCHEMA_VERSION = 1
"""Increase this with every change to the tables, or to what `domain.usage` makes of an event."""

_LIVE, _NEXT = "", "_next"

ReadEvents = Callable[[int], Sequence[RecordedEvent]]
"""Returns the next events after a position, in order; none at the end."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a project takes up. `kept_bytes`: of its recordings and ordered notes, as `domain.usage` counts them."""

    kept_bytes: int = 0
    open_recordings: int = 0
    recordings: int = 0
    waiting_notes: int = 0


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
            _Folding(self._writer, _LIVE).fold(events)
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
                _Folding(self._writer, _NEXT).fold(events)
            position = events[-1].position
        with self._transaction():  # what was recorded meanwhile, while every other writer of the view waits
            while events := read(position):
                _Folding(self._writer, _NEXT).fold(events)
                position = events[-1].position
            _drop_tables(self._writer, _LIVE)
            for table in _TABLES:
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


_COUNTS = ("kept_bytes", "open_recordings", "recordings", "waiting_notes")
_TABLES = {
    "project_usage": "project_id TEXT PRIMARY KEY, " + ", ".join(f"{name} INTEGER NOT NULL" for name in _COUNTS),
    "recording_usage": "recording_id BLOB PRIMARY KEY, project_id TEXT NOT NULL, kept_bytes INTEGER NOT NULL, "
    "is_open INTEGER NOT NULL",
    "order_usage": "order_id BLOB PRIMARY KEY, project_id TEXT NOT NULL, recording_id BLOB NOT NULL, "
    "kept_bytes INTEGER NOT NULL, is_waiting INTEGER NOT NULL",
}
_OF_ONE = f"SELECT position, {', '.join(_COUNTS)} FROM reflects LEFT JOIN project_usage ON project_id=?"  # noqa: S608
_LARGEST = f"SELECT project_id, {', '.join(_COUNTS)} FROM project_usage ORDER BY kept_bytes DESC LIMIT ?"  # noqa: S608


def _create_tables(connection: sqlite3.Connection, suffix: str) -> None:
    for table, columns in _TABLES.items():
        connection.execute(f"CREATE TABLE {table}{suffix} ({columns}) WITHOUT ROWID")


def _drop_tables(connection: sqlite3.Connection, suffix: str) -> None:
    for table in _TABLES:
        connection.execute(f"DROP TABLE IF EXISTS {table}{suffix}")


def _create_indexes(connection: sqlite3.Connection) -> None:
    """`largest` reads the first; a deleted recording's orders are found by the second."""
    connection.execute("CREATE INDEX usage_by_bytes ON project_usage (kept_bytes)")
    connection.execute("CREATE INDEX order_usage_by_recording ON order_usage (recording_id)")


def _position(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT position FROM reflects").fetchone()[0])


def _set_position(connection: sqlite3.Connection, position: int) -> None:
    connection.execute("UPDATE reflects SET position=?", (position,))


class _Folding:
    """Folds one batch of events: one read and one write for each recording and project that they touch."""

    def __init__(self, connection: sqlite3.Connection, suffix: str) -> None:
        self._connection = connection
        self._projects = f"project_usage{suffix}"
        self._recordings = f"recording_usage{suffix}"
        self._orders = f"order_usage{suffix}"
        self._changes: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(_COUNTS))
        self._read: dict[UUID, RecordingUsage | None] = {}
        self._touched: dict[UUID, RecordingUsage | None] = {}

    def fold(self, events: Sequence[RecordedEvent]) -> None:
        for recorded in events:
            if isinstance(recorded.event, RecordingEvent):
                self._fold_recording(recorded.stream_id, recorded.event)
            elif isinstance(recorded.event, NoteOrderEvent):
                self._fold_order(recorded.stream_id, recorded.event)
        self._write()

    def _fold_recording(self, recording_id: UUID, event: RecordingEvent) -> None:
        if recording_id not in self._touched:
            self._read[recording_id] = self._touched[recording_id] = self._recording(recording_id)
        self._touched[recording_id] = evolve_recording_usage(self._touched[recording_id], event)
        if type(event) is RecordingDeleted:
            self._forget_orders(recording_id)

    def _recording(self, recording_id: UUID) -> RecordingUsage | None:
        query = f"SELECT project_id, kept_bytes, is_open FROM {self._recordings} WHERE recording_id=?"  # noqa: S608
        row = self._connection.execute(query, (recording_id.bytes,)).fetchone()
        return None if row is None else RecordingUsage(row[0], row[1], bool(row[2]))

    def _fold_order(self, order_id: UUID, event: NoteOrderEvent) -> None:
        before = self._order(order_id)
        after = evolve_order_usage(before, event)
        if after is None or after == before or not self._is_there(after.recording_id):
            return
        self._count_order(before, -1)
        self._count_order(after, +1)
        row = (order_id.bytes, after.tenant_id, after.recording_id.bytes, after.kept_bytes, after.is_waiting)
        self._connection.execute(f"INSERT OR REPLACE INTO {self._orders} VALUES (?,?,?,?,?)", row)  # noqa: S608

    def _order(self, order_id: UUID) -> OrderUsage | None:
        query = f"SELECT project_id, recording_id, kept_bytes, is_waiting FROM {self._orders} WHERE order_id=?"  # noqa: S608
        row = self._connection.execute(query, (order_id.bytes,)).fetchone()
        return None if row is None else _order_of(row)

    def _is_there(self, recording_id: UUID) -> bool:
        """An order may come into the log just after its recording was deleted: nothing is kept of it."""
        if recording_id in self._touched:
            return self._touched[recording_id] is not None
        return self._recording(recording_id) is not None

    def _forget_orders(self, recording_id: UUID) -> None:
        gone = self._connection.execute(
            f"DELETE FROM {self._orders} WHERE recording_id=? "  # noqa: S608
            "RETURNING project_id, recording_id, kept_bytes, is_waiting",
            (recording_id.bytes,),
        )
        for row in gone.fetchall():
            self._count_order(_order_of(row), -1)

    def _count_order(self, usage: OrderUsage | None, sign: int) -> None:
        if usage is not None:
            self._change(usage.tenant_id, sign, kept_bytes=usage.kept_bytes, waiting_notes=int(usage.is_waiting))

    def _count_recording(self, usage: RecordingUsage | None, sign: int) -> None:
        if usage is not None:
            counts = {"kept_bytes": usage.kept_bytes, "open_recordings": int(usage.is_open), "recordings": 1}
            self._change(usage.tenant_id, sign, **counts)

    def _change(self, project_id: str, sign: int, **counts: int) -> None:
        change = self._changes[project_id]
        for place, name in enumerate(_COUNTS):
            change[place] += sign * counts.get(name, 0)

    def _write(self) -> None:
        gone, kept = [], []
        for recording_id, after in self._touched.items():
            self._count_recording(self._read[recording_id], -1)
            self._count_recording(after, +1)
            if after is None:
                gone.append((recording_id.bytes,))
            else:
                kept.append((recording_id.bytes, after.tenant_id, after.kept_bytes, after.is_open))
        execute = self._connection.executemany
        execute(f"DELETE FROM {self._recordings} WHERE recording_id=?", gone)  # noqa: S608
        execute(f"INSERT OR REPLACE INTO {self._recordings} VALUES (?,?,?,?)", kept)  # noqa: S608
        adding = ", ".join(f"{name}={name}+excluded.{name}" for name in _COUNTS)
        execute(
            f"INSERT INTO {self._projects} VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET {adding}",  # noqa: S608
            [(project_id, *change) for project_id, change in self._changes.items() if any(change)],
        )


def _order_of(row: tuple[Any, ...]) -> OrderUsage:
    project_id, recording_id, kept_bytes, is_waiting = row
    return OrderUsage(project_id, UUID(bytes=recording_id), kept_bytes, bool(is_waiting))
