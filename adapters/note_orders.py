"""Keeps a view of all note orders in SQLite: rows and the log position that they reflect change in one transaction.

So each event takes effect exactly once. The orders of a deleted recording are not in it. The view can always be rebuilt
from the log; therefore a commit does not wait until it is on disk, and a file with another schema version is emptied
and filled from the log again.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from pydantic import TypeAdapter

from adapters.event_log.mapper import RecordedEvent
from adapters.rebuilding import PositionMoved, one_rebuild
from adapters.sqlite_file import connect, give_back, is_of_log, writing
from domain.events import LoggedEvent, NoteOrderEvent, RecordingDeleted
from domain.note_order import NoteOrder, evolve_order

SCHEMA_VERSION = 1
"""Increase this with every change to the tables, to `NoteOrder`, or to what `evolve_order` makes of an event."""

_LIVE, _NEXT = "", "_next"
_ORDER = TypeAdapter(NoteOrder)

ReadEvents = Callable[[int], Sequence[RecordedEvent]]
"""Returns the next events after a position, in order; none at the end."""


def concerns_orders(event: LoggedEvent) -> bool:
    """Whether an event changes the view."""
    return isinstance(event, NoteOrderEvent | RecordingDeleted)


@dataclass(frozen=True, slots=True)
class OrderPlace:
    """An order's place in a list, which never changes."""

    time: datetime
    order_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersQuery:
    """Up to `limit` orders of one tenant, or of one of its recordings, newest first, those after the place `after`."""

    tenant_id: str
    limit: int
    recording_id: UUID | None = None
    after: OrderPlace | None = None


@dataclass(frozen=True, slots=True)
class ListedOrder:
    order_id: UUID
    order: NoteOrder

    @property
    def place(self) -> OrderPlace:
        return OrderPlace(self.order.ordered.at, self.order_id)


@dataclass(frozen=True, slots=True)
class OrdersPage:
    """`has_more`: whether there are more after the last of `rows`."""

    rows: list[ListedOrder]
    has_more: bool


class NoteOrderStore:
    """Note orders in one file. Blocking: write in a thread; `find` and `page` are quick look-ups.

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
        _drop_tables(self._writer, _NEXT)
        _drop_tables(self._writer, _LIVE)
        _create_tables(self._writer, _LIVE)
        _create_indexes(self._writer)
        self._writer.execute("DELETE FROM reflects")
        self._writer.execute("INSERT INTO reflects VALUES (0, ?)", (SCHEMA_VERSION,))

    def use_for(self, log_identity: str, head: int) -> None:
        """Start over when the rows are from another log, or from a later state of this one, as after a restore."""
        with self._transaction():
            if not is_of_log(self._writer, log_identity) or _position(self._writer) > head:
                self._begin_anew()

    def give_back(self) -> None:
        """Let the file shrink by what removed orders, or a rebuild, have left of it."""
        with self._writing:
            give_back(self._writer)

    def position(self) -> int:
        """The position of the last event that the rows reflect; 0 for an empty view."""
        with self._reading:
            return _position(self._reader)

    def find(self, order_id: UUID) -> NoteOrder | None:
        with self._reading:
            return _find(self._reader, _LIVE, order_id)

    def page(self, query: OrdersQuery) -> OrdersPage:
        """The orders that `query` asks for. Costs the same however many there are."""
        with self._reading:
            return _select_page(self._reader, query)

    def apply(self, events: Sequence[RecordedEvent], *, after: int, up_to: int) -> None:
        """Fold `events` into the rows: those that concern orders from after `after` to `up_to`.

        Raises: PositionMoved when the view is not at `after`; then nothing is written.
        """
        with self._transaction():
            if _position(self._writer) != after:
                raise PositionMoved
            _fold_into(self._writer, _LIVE, events)
            _set_position(self._writer, up_to)

    def rebuild(self, read: ReadEvents) -> int:
        """Rebuild the view from the log's first event; queries see the old rows until the new ones are complete.

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
                _fold_into(self._writer, _NEXT, events)
            position = events[-1].position
        with self._transaction():  # what was recorded meanwhile, while every other writer of the view waits
            while events := read(position):
                _fold_into(self._writer, _NEXT, events)
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


_TABLES = {
    "note_orders": "order_id BLOB PRIMARY KEY, tenant_id TEXT NOT NULL, recording_id BLOB NOT NULL, "
    "ordered_at TEXT NOT NULL, state BLOB NOT NULL",
    "deleted_recordings": "recording_id BLOB PRIMARY KEY",
}
"""Times are texts of one length in UTC, which sort in the order of the times. An order may come into the log just after
its recording was deleted: therefore it is kept which are."""


def _create_tables(connection: sqlite3.Connection, suffix: str) -> None:
    for table, columns in _TABLES.items():
        connection.execute(f"CREATE TABLE {table}{suffix} ({columns}) WITHOUT ROWID")


def _drop_tables(connection: sqlite3.Connection, suffix: str) -> None:
    for table in _TABLES:
        connection.execute(f"DROP TABLE IF EXISTS {table}{suffix}")


def _create_indexes(connection: sqlite3.Connection) -> None:
    """Every page is read from one of them, and a deleted recording's orders are found by the second."""
    connection.execute("CREATE INDEX orders_by_tenant ON note_orders (tenant_id, ordered_at DESC, order_id DESC)")
    connection.execute("CREATE INDEX orders_by_recording ON note_orders (recording_id, ordered_at DESC, order_id DESC)")


def _position(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT position FROM reflects").fetchone()[0])


def _set_position(connection: sqlite3.Connection, position: int) -> None:
    connection.execute("UPDATE reflects SET position=?", (position,))


def _fold_into(connection: sqlite3.Connection, suffix: str, events: Sequence[RecordedEvent]) -> None:
    for recorded in events:
        if isinstance(recorded.event, RecordingDeleted):
            key = (recorded.stream_id.bytes,)
            connection.execute(f"INSERT OR IGNORE INTO deleted_recordings{suffix} VALUES (?)", key)  # noqa: S608
            connection.execute(f"DELETE FROM note_orders{suffix} WHERE recording_id=?", key)  # noqa: S608
        elif isinstance(recorded.event, NoteOrderEvent):
            before = _find(connection, suffix, recorded.stream_id) if recorded.version > 1 else None
            if before is not None or recorded.version == 1:
                _put(connection, suffix, recorded.stream_id, evolve_order(before, recorded.event))


def _put(connection: sqlite3.Connection, suffix: str, order_id: UUID, order: NoteOrder) -> None:
    """Nothing is kept of the orders of a deleted recording."""
    ordered = order.ordered
    connection.execute(
        f"INSERT OR REPLACE INTO note_orders{suffix} SELECT ?,?,?,?,? "  # noqa: S608
        f"WHERE NOT EXISTS (SELECT 1 FROM deleted_recordings{suffix} WHERE recording_id=?)",
        (
            order_id.bytes,
            ordered.tenant_id,
            ordered.recording_id.bytes,
            _stored(ordered.at),
            _ORDER.dump_json(order),
            ordered.recording_id.bytes,
        ),
    )


def _find(connection: sqlite3.Connection, suffix: str, order_id: UUID) -> NoteOrder | None:
    query = f"SELECT state FROM note_orders{suffix} WHERE order_id=?"  # noqa: S608 - one of two suffixes above
    row = connection.execute(query, (order_id.bytes,)).fetchone()
    return None if row is None else _ORDER.validate_json(row[0])


def _select_page(connection: sqlite3.Connection, query: OrdersQuery) -> OrdersPage:
    """Read one row more than the page has, to know whether there are more."""
    conditions = ["tenant_id=?"]
    values: list[str | bytes | int] = [query.tenant_id]
    if query.recording_id is not None:
        conditions.append("recording_id=?")
        values.append(query.recording_id.bytes)
    if query.after is not None:
        conditions.append("(ordered_at, order_id) < (?, ?)")
        values += [_stored(query.after.time), query.after.order_id.bytes]
    found = connection.execute(
        f"SELECT order_id, state FROM note_orders WHERE {' AND '.join(conditions)} "  # noqa: S608
        "ORDER BY ordered_at DESC, order_id DESC LIMIT ?",
        (*values, query.limit + 1),
    ).fetchall()
    rows = [ListedOrder(UUID(bytes=row[0]), _ORDER.validate_json(row[1])) for row in found[: query.limit]]
    return OrdersPage(rows, has_more=len(found) > query.limit)


def _stored(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")
