"""The tables of the view of what projects use, and how a batch of events is folded into them."""

from collections import defaultdict
from collections.abc import Sequence, Set
from typing import Any
from uuid import UUID

from adapters.database.port import Tables
from adapters.event_log.mapper import RecordedEvent
from domain.events import (
    AmbientSessionEvent,
    AmbientSessionOpened,
    AmbientSessionUpdated,
    NoteOrderEvent,
    RecordingDeleted,
    RecordingEvent,
)
from domain.usage import OrderUsage, RecordingUsage, evolve_order_usage, evolve_recording_usage

COUNTS = ("kept_bytes", "open_recordings", "recordings", "waiting_notes", "sessions")
TABLES = {
    "project_usage": "project_id TEXT PRIMARY KEY, " + ", ".join(f"{name} INTEGER NOT NULL" for name in COUNTS),
    "recording_usage": "recording_id BLOB PRIMARY KEY, project_id TEXT NOT NULL, kept_bytes INTEGER NOT NULL, "
    "is_open INTEGER NOT NULL",
    "session_usage": "session_id BLOB PRIMARY KEY, project_id TEXT NOT NULL",
    "order_usage": "order_id BLOB PRIMARY KEY, project_id TEXT NOT NULL, recording_id BLOB NOT NULL, "
    "kept_bytes INTEGER NOT NULL, is_waiting INTEGER NOT NULL",
}


def _replacing(key: str, *columns: str) -> str:
    return f"ON CONFLICT ({key}) DO UPDATE SET {', '.join(f'{name}=excluded.{name}' for name in columns)}"


_REPLACING_ORDER = _replacing("order_id", "project_id", "recording_id", "kept_bytes", "is_waiting")
_REPLACING_RECORDING = _replacing("recording_id", "project_id", "kept_bytes", "is_open")


class Folding:
    """Folds one batch of events: one read and one write for each recording and project that they touch."""

    def __init__(self, tables: Tables, suffix: str) -> None:
        self._tables = tables
        self._projects = f"project_usage{suffix}"
        self._recordings = f"recording_usage{suffix}"
        self._orders = f"order_usage{suffix}"
        self._sessions = f"session_usage{suffix}"
        self._changes: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(COUNTS))
        self._read: dict[UUID, RecordingUsage | None] = {}
        self._touched: dict[UUID, RecordingUsage | None] = {}

    def fold(self, events: Sequence[RecordedEvent]) -> None:
        self._read_recordings({one.stream_id for one in events if isinstance(one.event, RecordingEvent)})
        for recorded in events:
            if isinstance(recorded.event, RecordingEvent):
                self._fold_recording(recorded.stream_id, recorded.event)
            elif isinstance(recorded.event, NoteOrderEvent):
                self._fold_order(recorded.stream_id, recorded.event)
            else:
                self._fold_session(recorded.stream_id, recorded.event)
        self._write()

    def _read_recordings(self, recording_ids: Set[UUID]) -> None:
        """All at once, since each look-up in a server is a round trip."""
        marks = ",".join("?" * len(recording_ids))
        query = (
            f"SELECT recording_id, project_id, kept_bytes, is_open FROM {self._recordings} "  # noqa: S608
            f"WHERE recording_id IN ({marks})"
        )
        keys = [recording_id.bytes for recording_id in recording_ids]
        rows = self._tables.execute(query, keys).fetchall() if keys else []
        found = {UUID(bytes=row[0]): RecordingUsage(row[1], row[2], bool(row[3])) for row in rows}
        self._read = {recording_id: found.get(recording_id) for recording_id in recording_ids}
        self._touched = dict(self._read)

    def _fold_recording(self, recording_id: UUID, event: RecordingEvent) -> None:
        self._touched[recording_id] = evolve_recording_usage(self._touched[recording_id], event)
        if type(event) is RecordingDeleted:
            self._forget_orders(recording_id)

    def _fold_order(self, order_id: UUID, event: NoteOrderEvent) -> None:
        before = self._order(order_id)
        after = evolve_order_usage(before, event)
        if after is None or after == before or not self._is_there(after.recording_id):
            return
        self._count_order(before, -1)
        self._count_order(after, +1)
        row = (order_id.bytes, after.tenant_id, after.recording_id.bytes, after.kept_bytes, int(after.is_waiting))
        self._tables.execute(f"INSERT INTO {self._orders} VALUES (?,?,?,?,?) {_REPLACING_ORDER}", row)  # noqa: S608

    def _order(self, order_id: UUID) -> OrderUsage | None:
        query = f"SELECT project_id, recording_id, kept_bytes, is_waiting FROM {self._orders} WHERE order_id=?"  # noqa: S608
        row = self._tables.execute(query, (order_id.bytes,)).fetchone()
        return None if row is None else _order_of(row)

    def _is_there(self, recording_id: UUID) -> bool:
        """An order may come into the log just after its recording was deleted: nothing is kept of it."""
        if recording_id in self._touched:
            return self._touched[recording_id] is not None
        query = f"SELECT 1 FROM {self._recordings} WHERE recording_id=?"  # noqa: S608
        return self._tables.execute(query, (recording_id.bytes,)).fetchone() is not None

    def _forget_orders(self, recording_id: UUID) -> None:
        gone = self._tables.execute(
            f"DELETE FROM {self._orders} WHERE recording_id=? "  # noqa: S608
            "RETURNING project_id, recording_id, kept_bytes, is_waiting",
            (recording_id.bytes,),
        )
        for row in gone.fetchall():
            self._count_order(_order_of(row), -1)

    def _fold_session(self, session_id: UUID, event: AmbientSessionEvent) -> None:
        """What an update changes is kept beside what it was before, so each counts as much as an opening."""
        if type(event) is AmbientSessionOpened:
            row = (session_id.bytes, event.tenant_id)
            self._tables.execute(f"INSERT INTO {self._sessions} VALUES (?,?) ON CONFLICT DO NOTHING", row)  # noqa: S608
            self._change(event.tenant_id, +1, sessions=1)
        elif type(event) is AmbientSessionUpdated:
            query = f"SELECT project_id FROM {self._sessions} WHERE session_id=?"  # noqa: S608
            if (row := self._tables.execute(query, (session_id.bytes,)).fetchone()) is not None:
                self._change(row[0], +1, sessions=1)

    def _count_order(self, usage: OrderUsage | None, sign: int) -> None:
        if usage is not None:
            self._change(usage.tenant_id, sign, kept_bytes=usage.kept_bytes, waiting_notes=int(usage.is_waiting))

    def _count_recording(self, usage: RecordingUsage | None, sign: int) -> None:
        if usage is not None:
            counts = {"kept_bytes": usage.kept_bytes, "open_recordings": int(usage.is_open), "recordings": 1}
            self._change(usage.tenant_id, sign, **counts)

    def _change(self, project_id: str, sign: int, **counts: int) -> None:
        change = self._changes[project_id]
        for place, name in enumerate(COUNTS):
            change[place] += sign * counts.get(name, 0)

    def _write(self) -> None:
        gone, kept = [], []
        for recording_id, after in self._touched.items():
            self._count_recording(self._read[recording_id], -1)
            self._count_recording(after, +1)
            if after is None:
                gone.append((recording_id.bytes,))
            else:
                kept.append((recording_id.bytes, after.tenant_id, after.kept_bytes, int(after.is_open)))
        execute = self._tables.executemany
        execute(f"DELETE FROM {self._recordings} WHERE recording_id=?", gone)  # noqa: S608
        execute(f"INSERT INTO {self._recordings} VALUES (?,?,?,?) {_REPLACING_RECORDING}", kept)  # noqa: S608
        adding = ", ".join(f"{name}={self._projects}.{name}+excluded.{name}" for name in COUNTS)
        execute(
            f"INSERT INTO {self._projects} VALUES (?,?,?,?,?,?) "  # noqa: S608
            f"ON CONFLICT (project_id) DO UPDATE SET {adding}",
            [(project_id, *change) for project_id, change in self._changes.items() if any(change)],
        )


def _order_of(row: tuple[Any, ...]) -> OrderUsage:
    project_id, recording_id, kept_bytes, is_waiting = row
    return OrderUsage(project_id, UUID(bytes=recording_id), kept_bytes, bool(is_waiting))
