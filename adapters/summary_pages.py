"""The columns and indexes by which the status view is listed, and pages of it. Every page is read from one index.

Pages continue after a key, not at a number: a recording's place (its time and its id) never changes, so a list that
grows while it is paged through repeats nothing and skips nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from adapters.database.port import Tables
from domain.summary import RecordingSummary, Standing

COLUMNS = {
    "dialect": "TEXT NOT NULL",
    "tenant_id": "TEXT NOT NULL",
    "external_id": "TEXT NOT NULL",
    "external_group": "TEXT",
    "device_id": "TEXT",
    "end_user_id": "TEXT",
    "status": "TEXT NOT NULL",
    "created_at": "TEXT NOT NULL",
    "finalized_at": "TEXT",
    "is_deleted": "INTEGER NOT NULL",
}
"""Times are texts of one length in UTC, which sort in the order of the times. `external_group`: what comes before the
last slash of a composite external id, so that recordings are found by what they have in common."""

_INDEXED = ("device_id", "end_user_id", "status", "external_group")
_FILTERS = (*_INDEXED, "external_id")


class Order(StrEnum):
    """The time that "newest" refers to. By the time of finalizing, only finalized recordings are listed."""

    CREATED = "created_at"
    FINALIZED = "finalized_at"


@dataclass(frozen=True, slots=True)
class Place:
    """A recording's place in a list."""

    time: datetime
    recording_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery:
    """Up to `limit` recordings of one tenant, those after the place `after` or after the first `offset`.

    `external_id` narrows down an `external_group`; it has no index of its own.
    """

    tenant_id: str
    limit: int
    order: Order = Order.CREATED
    device_id: str | None = None
    end_user_id: str | None = None
    status: str | None = None
    external_group: str | None = None
    external_id: str | None = None
    after: Place | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    recording_id: UUID
    summary: RecordingSummary


@dataclass(frozen=True, slots=True)
class Page:
    """`next_after`: the place of the last recording, if there are more after it."""

    rows: list[Listed]
    next_after: Place | None


def listed_columns(summary: RecordingSummary, status: str) -> tuple[str | int | None, ...]:
    """The values of COLUMNS."""
    return (
        summary.dialect,
        summary.tenant_id,
        summary.external_id,
        summary.external_id.rpartition("/")[0] or None,
        summary.device_id,
        summary.end_user_id,
        status,
        _stored(summary.created_at),
        None if summary.finalized_at is None else _stored(summary.finalized_at),
        int(summary.standing is Standing.DELETED),
    )


def create_indexes(tables: Tables, table: str) -> None:
    """An index for every filter, so that none of them has to skip rows."""
    for order in Order:
        for filtered in ("", *_INDEXED) if order is Order.CREATED else ("",):
            columns = ", ".join(filter(None, ("tenant_id", filtered, f"{order} DESC", "recording_id DESC")))
            name = f"{table}_by_{filtered or 'tenant'}_{order}"
            tables.execute(f"CREATE INDEX {name} ON {table} ({columns}) WHERE is_deleted=0 AND {order} IS NOT NULL")


def select_page(tables: Tables, table: str, query: PageQuery) -> Page:
    """Read one row more than the page has, to know whether there are more."""
    order = query.order.value
    conditions = ["is_deleted=0", f"{order} IS NOT NULL", "tenant_id=?"]
    values: list[str | bytes | int] = [query.tenant_id]
    for name in _FILTERS:
        wanted = getattr(query, name)
        if wanted is not None:
            conditions.append(f"{name}=?")
            values.append(wanted)
    if query.after is not None:
        conditions.append(f"({order}, recording_id) < (?, ?)")
        values += [_stored(query.after.time), query.after.recording_id.bytes]
    found = tables.execute(
        f"SELECT recording_id, {order}, summary FROM {table} WHERE {' AND '.join(conditions)} "  # noqa: S608
        f"ORDER BY {order} DESC, recording_id DESC LIMIT ? OFFSET ?",
        (*values, query.limit + 1, query.offset),
    ).fetchall()
    shown = found[: query.limit]
    rows = [Listed(UUID(bytes=row[0]), RecordingSummary.model_validate_json(row[2])) for row in shown]
    has_more = len(found) > query.limit
    last = Place(datetime.fromisoformat(shown[-1][1]), UUID(bytes=shown[-1][0])) if has_more else None
    return Page(rows, last)


def count_by_status(tables: Tables, table: str, tenant_id: str, statuses: Sequence[str]) -> dict[str, int]:
    """How many recordings a tenant has of each of these statuses, by an index."""
    marks = ",".join("?" * len(statuses))
    rows = tables.execute(
        f"SELECT status, COUNT(*) FROM {table} WHERE is_deleted=0 AND created_at IS NOT NULL AND tenant_id=? "  # noqa: S608
        f"AND status IN ({marks}) GROUP BY status",
        (tenant_id, *statuses),
    ).fetchall()
    return {**dict.fromkeys(statuses, 0), **dict(rows)}


def count_per_minute(
    tables: Tables, table: str, tenant_id: str, order: Order, *, since: datetime
) -> dict[datetime, int]:
    """How many recordings a tenant has of each minute since then that has any, by an index."""
    rows = tables.execute(
        f"SELECT substr({order}, 1, {_TO_THE_MINUTE}), COUNT(*) FROM {table} "  # noqa: S608
        f"WHERE is_deleted=0 AND {order} IS NOT NULL AND tenant_id=? AND {order}>=? GROUP BY 1",
        (tenant_id, _stored(since)),
    ).fetchall()
    return {datetime.fromisoformat(minute).replace(tzinfo=UTC): count for minute, count in rows}


_TO_THE_MINUTE = len("2026-01-01T00:00")


def _stored(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")
