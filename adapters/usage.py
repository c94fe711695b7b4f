"""Keeps what each project takes up of its quotas, in SQLite or PostgreSQL: a view that is made from the log."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.database.log_identity import MADE_FROM
from adapters.database.moving import HAS_ROWS, copy_table, table_names
from adapters.database.port import Place, Tables
from adapters.event_log.mapper import RecordedEvent
from adapters.log_view import Layout, LogView, position_of, set_position
from adapters.usage_folding import COUNTS, TABLES, Folding

SCHEMA_VERSION = 3
"""Increase this with every change to the tables, or to what `domain.usage` makes of an event."""

_LAYOUT = Layout(
    view="The view of what projects use",
    schema=SCHEMA_VERSION,
    tables=TABLES,
    indexes=(
        "CREATE INDEX usage_by_bytes ON project_usage (kept_bytes)",  # `largest` reads it
        "CREATE INDEX order_usage_by_recording ON order_usage (recording_id)",  # finds a deleted recording's orders
    ),
)


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


class UsageStore(LogView):
    """The usage of all projects; `of` and `largest` are quick look-ups."""

    def __init__(self, place: Place, *, begins_anew: bool = False) -> None:
        """As `LogView`."""
        super().__init__(place, _LAYOUT, begins_anew=begins_anew)
        self._database.take_over(_copy)

    def _fold_into(self, tables: Tables, suffix: str, events: Sequence[RecordedEvent]) -> None:
        Folding(tables, suffix).fold(events)

    def of(self, project_id: str) -> UsageAt:
        """What the project takes up; nothing if none of its events is known."""
        with self._reading() as tables:
            position, *counts = tables.execute(_OF_ONE, (project_id,)).fetchone()
        return UsageAt(Usage(*(count or 0 for count in counts)), position)

    def of_each(self, project_ids: Sequence[str]) -> list[UsageAt]:
        """The same of several projects, in their order, at one position."""
        if not project_ids:
            return []
        marks = ",".join("?" * len(project_ids))
        with self._reading() as tables:
            rows = tables.execute(f"{_OF_EACH} IN ({marks})", project_ids).fetchall()
        position = rows[0][0]
        known = {project_id: Usage(*counts) for _, project_id, *counts in rows if project_id is not None}
        return [UsageAt(known.get(project_id, Usage()), position) for project_id in project_ids]

    def largest(self, limit: int) -> list[tuple[str, Usage]]:
        """The projects that keep most bytes, the largest first."""
        with self._reading() as tables:
            rows = tables.execute(_LARGEST, (limit,)).fetchall()
        return [(project_id, Usage(*counts)) for project_id, *counts in rows]


_OF_ONE = f"SELECT position, {', '.join(COUNTS)} FROM reflects LEFT JOIN project_usage ON project_id=?"  # noqa: S608
_OF_EACH = f"SELECT position, project_id, {', '.join(COUNTS)} FROM reflects LEFT JOIN project_usage ON project_id"  # noqa: S608
_LARGEST = f"SELECT project_id, {', '.join(COUNTS)} FROM project_usage ORDER BY kept_bytes DESC LIMIT ?"  # noqa: S608


def _copy(file: sqlite3.Connection, tables: Tables) -> str | None:
    """So that quotas hold from the first request on, before all of the log has been read again."""
    names = table_names(file)
    found = file.execute("SELECT position, schema FROM reflects").fetchone() if "reflects" in names else None
    if found is None or found[1] != SCHEMA_VERSION:
        return "it is made anew from the log"
    if position_of(tables):
        return HAS_ROWS
    tables.execute(MADE_FROM)
    tables.execute("DELETE FROM made_from")
    for name in (*TABLES, "made_from"):
        if name in names:
            copy_table(file, name, tables)
    set_position(tables, found[0])
    return None
