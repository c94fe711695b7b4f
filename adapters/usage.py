"""Keeps what each project takes up of its quotas, in SQLite or PostgreSQL: rows and the log position that they reflect
change in one transaction.

So each event takes effect exactly once. The view can always be rebuilt from the log; therefore a commit to a file does
not wait until it is on disk, and the service empties a view with another schema version, and fills it from the log
again. Until then, nothing is written into that.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapters.database.log_identity import MADE_FROM, NewestHead, is_of_log
from adapters.database.moving import HAS_ROWS, copy_table, table_names
from adapters.database.opening import making_tables, open_database
from adapters.database.port import Place, Tables
from adapters.event_log.mapper import RecordedEvent
from adapters.rebuilding import OtherSchema, PositionMoved
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
    Raises: DatabaseFull; DatabaseUnavailable.
    """

    def __init__(self, place: Place, *, begins_anew: bool = False) -> None:
        """`begins_anew`: empties a view with another schema version, as only the service may.

        Raises: OtherSchema, if it does not; also sqlite3.Error; OSError.
        """
        self._database = open_database(place, durable=False)
        with making_tables(self._database) as tables:
            tables.execute("CREATE TABLE IF NOT EXISTS reflects (position INTEGER NOT NULL, schema INTEGER NOT NULL)")
            row = tables.execute("SELECT schema FROM reflects").fetchone()
            if row is None or (begins_anew and row[0] != SCHEMA_VERSION):
                _begin_anew(tables)
            _own_position(tables)
        self._database.take_over(_copy)

    @property
    def answers_at_once(self) -> bool:
        """Whether an event loop may look something up."""
        return self._database.answers_at_once

    def use_for(self, log_identity: str, newest_head: NewestHead) -> None:
        """Start over when the rows are from another log, or from a later state of this one, as after a restore."""
        with self._database.writing(patient=True) as tables:
            if not is_of_log(tables, log_identity) or _position(tables) > newest_head():
                _begin_anew(tables)

    def position(self) -> int:
        """The position of the last event that the rows reflect; 0 for an empty view."""
        with self._database.reading() as tables:
            return _position(tables)

    def of(self, project_id: str) -> UsageAt:
        """What the project takes up; nothing if none of its events is known."""
        with self._database.reading() as tables:
            position, *counts = tables.execute(_OF_ONE, (project_id,)).fetchone()
        return UsageAt(Usage(*(count or 0 for count in counts)), position)

    def of_each(self, project_ids: Sequence[str]) -> list[UsageAt]:
        """The same of several projects, in their order, at one position."""
        if not project_ids:
            return []
        marks = ",".join("?" * len(project_ids))
        with self._database.reading() as tables:
            rows = tables.execute(f"{_OF_EACH} IN ({marks})", project_ids).fetchall()
        position = rows[0][0]
        known = {project_id: Usage(*counts) for _, project_id, *counts in rows if project_id is not None}
        return [UsageAt(known.get(project_id, Usage()), position) for project_id in project_ids]

    def largest(self, limit: int) -> list[tuple[str, Usage]]:
        """The projects that keep most bytes, the largest first."""
        with self._database.reading() as tables:
            rows = tables.execute(_LARGEST, (limit,)).fetchall()
        return [(project_id, Usage(*counts)) for project_id, *counts in rows]

    def apply(self, events: Sequence[RecordedEvent], *, after: int) -> None:
        """Fold `events`, which follow position `after`, into the rows.

        Raises: OtherSchema; PositionMoved when the view is not at `after`. Then nothing is written.
        """
        with self._database.writing() as tables:
            if _own_position(tables) != after:
                raise PositionMoved
            Folding(tables, _LIVE).fold(events)
            _set_position(tables, events[-1].position)

    def rebuild(self, read: ReadEvents) -> int:
        """Rebuild the view from the log's first event; the old rows are in use until the new ones are complete.

        Returns: the position that it then reflects. Raises: OtherSchema; RebuildRunning.
        """
        with self._database.one_rebuild():
            return self._rebuild(read)

    def _rebuild(self, read: ReadEvents) -> int:
        with self._database.writing(patient=True) as tables:
            _own_position(tables)
            _drop_tables(tables, _NEXT)
            _create_tables(tables, _NEXT)
        position = 0
        while events := read(position):
            with self._database.writing() as tables:
                _own_position(tables)
                Folding(tables, _NEXT).fold(events)
            position = events[-1].position
        with self._database.writing(patient=True) as tables:  # what was recorded meanwhile, while every writer waits
            _own_position(tables)
            while events := read(position):
                Folding(tables, _NEXT).fold(events)
                position = events[-1].position
            _drop_tables(tables, _LIVE)
            for table in TABLES:
                tables.execute(f"ALTER TABLE {table}{_NEXT} RENAME TO {table}")
            _create_indexes(tables)
            _set_position(tables, position)
        return position

    def close(self) -> None:
        """Wait for current reads and writes, then close the file."""
        self._database.close()


_OF_ONE = f"SELECT position, {', '.join(COUNTS)} FROM reflects LEFT JOIN project_usage ON project_id=?"  # noqa: S608
_OF_EACH = f"SELECT position, project_id, {', '.join(COUNTS)} FROM reflects LEFT JOIN project_usage ON project_id"  # noqa: S608
_LARGEST = f"SELECT project_id, {', '.join(COUNTS)} FROM project_usage ORDER BY kept_bytes DESC LIMIT ?"  # noqa: S608


def _begin_anew(tables: Tables) -> None:
    for suffix in (_NEXT, _LIVE):
        _drop_tables(tables, suffix)
    _create_tables(tables, _LIVE)
    _create_indexes(tables)
    tables.execute("DELETE FROM reflects")
    tables.execute("INSERT INTO reflects VALUES (0, ?)", (SCHEMA_VERSION,))


def _copy(file: sqlite3.Connection, tables: Tables) -> str | None:
    """So that quotas hold from the first request on, before all of the log has been read again."""
    names = table_names(file)
    found = file.execute("SELECT position, schema FROM reflects").fetchone() if "reflects" in names else None
    if found is None or found[1] != SCHEMA_VERSION:
        return "it is made anew from the log"
    if _position(tables):
        return HAS_ROWS
    tables.execute(MADE_FROM)
    tables.execute("DELETE FROM made_from")
    for name in (*TABLES, "made_from"):
        if name in names:
            copy_table(file, name, tables)
    _set_position(tables, found[0])
    return None


def _create_tables(tables: Tables, suffix: str) -> None:
    for table, columns in TABLES.items():
        tables.execute(f"CREATE TABLE {table}{suffix} ({columns}) WITHOUT ROWID")


def _drop_tables(tables: Tables, suffix: str) -> None:
    for table in TABLES:
        tables.execute(f"DROP TABLE IF EXISTS {table}{suffix}")


def _create_indexes(tables: Tables) -> None:
    """`largest` reads the first; a deleted recording's orders are found by the second."""
    tables.execute("CREATE INDEX usage_by_bytes ON project_usage (kept_bytes)")
    tables.execute("CREATE INDEX order_usage_by_recording ON order_usage (recording_id)")


def _position(tables: Tables) -> int:
    return int(tables.execute("SELECT position FROM reflects").fetchone()[0])


def _own_position(tables: Tables) -> int:
    """The position, of rows that this version could have made. Raises: OtherSchema."""
    position, schema = tables.execute("SELECT position, schema FROM reflects").fetchone()
    if schema != SCHEMA_VERSION:
        raise OtherSchema("The view of what projects use")
    return int(position)


def _set_position(tables: Tables, position: int) -> None:
    tables.execute("UPDATE reflects SET position=?", (position,))
