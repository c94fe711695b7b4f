"""Keeps a view of all note orders. Those of a deleted recording are not in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pydantic import TypeAdapter

from adapters.database.port import Place, Tables
from adapters.event_log.mapper import RecordedEvent
from adapters.log_view import Layout, LogView
from adapters.view_schema import view_schema
from domain.events import LoggedEvent, NoteOrderEvent, RecordingDeleted
from domain.note_order import NoteOrder, evolve_order

SCHEMA_VERSION = 1
"""Increase this with every change to the tables, or to what `evolve_order` makes of an event. A change to the fields of
`NoteOrder` is noticed without it."""

_ORDER = TypeAdapter(NoteOrder)

_LAYOUT = Layout(
    view="The view of note orders",
    schema=view_schema(SCHEMA_VERSION, _ORDER),
    tables={
        "note_orders": "order_id BLOB PRIMARY KEY, tenant_id TEXT NOT NULL, recording_id BLOB NOT NULL, "
        "ordered_at TEXT NOT NULL, state BLOB NOT NULL",
        "deleted_recordings": "recording_id BLOB PRIMARY KEY",
    },
    indexes=(
        "CREATE INDEX orders_by_tenant ON note_orders (tenant_id, ordered_at DESC, order_id DESC)",
        "CREATE INDEX orders_by_recording ON note_orders (recording_id, ordered_at DESC, order_id DESC)",
    ),
)
"""Times are texts of one length in UTC, which sort in the order of the times. An order may come into the log just after
its recording was deleted: therefore it is kept which are. Every page is read from one of the indexes, and a deleted
recording's orders are found by the second."""


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


class NoteOrderStore(LogView):
    """Note orders in one place; `find` and `page` are quick look-ups."""

    def __init__(self, place: Place, *, begins_anew: bool = False) -> None:
        """As `LogView`."""
        super().__init__(place, _LAYOUT, begins_anew=begins_anew)

    def find(self, order_id: UUID) -> NoteOrder | None:
        with self._reading() as tables:
            return _find(tables, "", order_id)

    def page(self, query: OrdersQuery) -> OrdersPage:
        """The orders that `query` asks for, newest first. Costs the same however many there are."""
        with self._reading() as tables:
            return _select_page(tables, query)

    def _fold_into(self, tables: Tables, suffix: str, events: Sequence[RecordedEvent]) -> None:
        for recorded in events:
            if isinstance(recorded.event, RecordingDeleted):
                key = (recorded.stream_id.bytes,)
                tables.execute(
                    f"INSERT INTO deleted_recordings{suffix} VALUES (?) ON CONFLICT DO NOTHING",  # noqa: S608
                    key,
                )
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
