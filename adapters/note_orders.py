"""Keeps a view of all note orders: rows and the log position that they reflect change in one transaction.

So each event takes effect exactly once. The orders of a deleted recording are not in it. The view can always be rebuilt
from the log; therefore a commit to a file does not wait until it is on disk, and a view with another schema version is
emptied and filled from the log again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pydantic import TypeAdapter

from adapters.database.log_identity import is_of_log
from adapters.database.opening import open_database
from adapters.database.port import Place, Tables
from adapters.event_log.mapper import RecordedEvent
from adapters.rebuilding import PositionMoved
from adapters.view_schema import view_schema
from domain.events import LoggedEvent, NoteOrderEvent, RecordingDeleted
from domain.note_order import NoteOrder, evolve_order

SCHEMA_VERSION = 1
"""Increase this with every change to the tables, or to what `evolve_order` makes of an event. A change to the fields of
`NoteOrder` is noticed without it."""

_LIVE, _NEXT = "", "_next"
_ORDER = TypeAdapter(NoteOrder)

SCHEMA = view_schema(SCHEMA_VERSION, _ORDER)
"""What rows are made of: with the version, an order's own fields."""

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
    """Note orders in one place. Blocking: write in a thread; `find` and `page` are quick look-ups.

    Several processes may write: each says which position it continues from, and only one of them can be right.
    Raises: DatabaseFull; DatabaseUnavailable.
    """

    def __init__(self, place: Place) -> None:
        """Raises: also sqlite3.Error; OSError."""
        self._database = open_database(place, durable=False)
        with self._database.writing(patient=True) as tables:
            tables.execute("CREATE TABLE IF NOT EXISTS reflects (position INTEGER NOT NULL, schema INTEGER NOT NULL)")
            row = tables.execute("SELECT schema FROM reflects").fetchone()
            if row is None or row[0] != SCHEMA:
                _begin_anew(tables)

    @property
    def answers_at_once(self) -> bool:
        """Whether an event loop may look something up."""
        return self._database.answers_at_once

    def use_for(self, log_identity: str, head: int) -> None:
        """Start over when the rows are from another log, or from a later state of this one, as after a restore."""
        with self._database.writing(patient=True) as tables:
            if not is_of_log(tables, log_identity) or _position(tables) > head:
                _begin_anew(tables)

    def give_back(self) -> None:
        """Let the file shrink by what a rebuild has left of it."""
        self._database.give_back()

    def position(self) -> int:
        """The position of the last event that the rows reflect; 0 for an empty view."""
        with self._database.reading() as tables:
            return _position(tables)

    def find(self, order_id: UUID) -> NoteOrder | None:
        with self._database.reading() as tables:
            return _find(tables, _LIVE, order_id)

    def page(self, query: OrdersQuery) -> OrdersPage:
        """The orders that `query` asks for, newest first. Costs the same however many there are."""
        with self._database.reading() as tables:
            return _select_page(tables, query)

    def apply(self, events: Sequence[RecordedEvent], *, after: int, up_to: int) -> None:
        """Fold `events` into the rows: those that concern orders, of all events from after `after` to `up_to`.

        Raises: PositionMoved when the view is not at `after`; then nothing is written.
        """
        with self._database.writing() as tables:
            if _position(tables) != after:
                raise PositionMoved
            _fold_into(tables, _LIVE, events)
            _set_position(tables, up_to)

    def rebuild(self, read: ReadEvents) -> int:
        """Rebuild the view from the log's first event; queries see the old rows until the new ones are complete.

        Returns: the position that it then reflects. Raises: RebuildRunning.
        """
        with self._database.one_rebuild():
            return self._rebuild(read)

    def _rebuild(self, read: ReadEvents) -> int:
        with self._database.writing(patient=True) as tables:
            _drop_tables(tables, _NEXT)
            _create_tables(tables, _NEXT)
        position = 0
        while events := read(position):
            with self._database.writing() as tables:
                _fold_into(tables, _NEXT, events)
            position = events[-1].position
        with self._database.writing(patient=True) as tables:  # what was recorded meanwhile, while every writer waits
            while events := read(position):
                _fold_into(tables, _NEXT, events)
                position = events[-1].position
            _drop_tables(tables, _LIVE)
            for table in _TABLES:
                tables.execute(f"ALTER TABLE {table}{_NEXT} RENAME TO {table}")
            _create_indexes(tables)
            _set_position(tables, position)
        return position

    def close(self) -> None:
        """Wait for current reads and writes, then close the file."""
        self._database.close()


def _begin_anew(tables: Tables) -> None:
    _drop_tables(tables, _NEXT)
    _drop_tables(tables, _LIVE)
    _create_tables(tables, _LIVE)
    _create_indexes(tables)
    tables.execute("DELETE FROM reflects")
    tables.execute("INSERT INTO reflects VALUES (0, ?)", (SCHEMA,))


_TABLES = {
    "note_orders": "order_id BLOB PRIMARY KEY, tenant_id TEXT NOT NULL, recording_id BLOB NOT NULL, "
    "ordered_at TEXT NOT NULL, state BLOB NOT NULL",
    "deleted_recordings": "recording_id BLOB PRIMARY KEY",
}
"""Times are texts of one length in UTC, which sort in the order of the times. An order may come into the log just after
its recording was deleted: therefore it is kept which are."""


def _create_tables(tables: Tables, suffix: str) -> None:
    for table, columns in _TABLES.items():
        tables.execute(f"CREATE TABLE {table}{suffix} ({columns}) WITHOUT ROWID")


def _drop_tables(tables: Tables, suffix: str) -> None:
    for table in _TABLES:
        tables.execute(f"DROP TABLE IF EXISTS {table}{suffix}")


def _create_indexes(tables: Tables) -> None:
    """Every page is read from one of them, and a deleted recording's orders are found by the second."""
    tables.execute("CREATE INDEX orders_by_tenant ON note_orders (tenant_id, ordered_at DESC, order_id DESC)")
    tables.execute("CREATE INDEX orders_by_recording ON note_orders (recording_id, ordered_at DESC, order_id DESC)")


def _position(tables: Tables) -> int:
    return int(tables.execute("SELECT position FROM reflects").fetchone()[0])


def _set_position(tables: Tables, position: int) -> None:
    tables.execute("UPDATE reflects SET position=?", (position,))


def _fold_into(tables: Tables, suffix: str, events: Sequence[RecordedEvent]) -> None:
    for recorded in events:
        if isinstance(recorded.event, RecordingDeleted):
            key = (recorded.stream_id.bytes,)
            tables.execute(f"INSERT INTO deleted_recordings{suffix} VALUES (?) ON CONFLICT DO NOTHING", key)  # noqa: S608
            tables.execute(f"DELETE FROM note_orders{suffix} WHERE recording_id=?", key)  # noqa: S608
        elif isinstance(recorded.event, NoteOrderEvent):
            before = _find(tables, suffix, recorded.stream_id) if recorded.version > 1 else None
            if before is not None or recorded.version == 1:
                _put(tables, suffix, recorded.stream_id, evolve_order(before, recorded.event))


def _put(tables: Tables, suffix: str, order_id: UUID, order: NoteOrder) -> None:
    """Nothing is kept of the orders of a deleted recording."""
    ordered = order.ordered
    tables.execute(
        f"INSERT INTO note_orders{suffix} SELECT ?,?,?,?,? "  # noqa: S608
        f"WHERE NOT EXISTS (SELECT 1 FROM deleted_recordings{suffix} WHERE recording_id=?) "
        "ON CONFLICT (order_id) DO UPDATE SET tenant_id=excluded.tenant_id, recording_id=excluded.recording_id, "
        "ordered_at=excluded.ordered_at, state=excluded.state",
        (
            order_id.bytes,
            ordered.tenant_id,
            ordered.recording_id.bytes,
            _stored(ordered.at),
            _ORDER.dump_json(order),
            ordered.recording_id.bytes,
        ),
    )


def _find(tables: Tables, suffix: str, order_id: UUID) -> NoteOrder | None:
    query = f"SELECT state FROM note_orders{suffix} WHERE order_id=?"  # noqa: S608 - one of two suffixes above
    row = tables.execute(query, (order_id.bytes,)).fetchone()
    return None if row is None else _ORDER.validate_json(row[0])


def _select_page(tables: Tables, query: OrdersQuery) -> OrdersPage:
    """Read one row more than the page has, to know whether there are more."""
    conditions = ["tenant_id=?"]
    values: list[str | bytes | int] = [query.tenant_id]
    if query.recording_id is not None:
        conditions.append("recording_id=?")
        values.append(query.recording_id.bytes)
    if query.after is not None:
        conditions.append("(ordered_at, order_id) < (?, ?)")
        values += [_stored(query.after.time), query.after.order_id.bytes]
    found = tables.execute(
        f"SELECT order_id, state FROM note_orders WHERE {' AND '.join(conditions)} "  # noqa: S608
        "ORDER BY ordered_at DESC, order_id DESC LIMIT ?",
        (*values, query.limit + 1),
    ).fetchall()
    rows = [ListedOrder(UUID(bytes=row[0]), _ORDER.validate_json(row[1])) for row in found[: query.limit]]
    return OrdersPage(rows, has_more=len(found) > query.limit)


def _stored(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")
