"""Keeps the status view in SQLite or PostgreSQL: rows and the log position that they reflect change in one transaction.

So each event takes effect exactly once. The view can always be rebuilt from the log; therefore a commit to a file does
not wait until it is on disk, and the service empties a view with another schema version, and fills it from the log
again. Until then, nothing is written into that.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from pydantic import TypeAdapter

from adapters.database.log_identity import NewestHead, is_of_log
from adapters.database.opening import making_tables, open_database
from adapters.database.port import Place, Tables
from adapters.event_log.mapper import RecordedEvent
from adapters.rebuilding import OtherSchema, PositionMoved
from adapters.summary_pages import (
    COLUMNS,
    Order,
    Page,
    PageQuery,
    count_by_status,
    count_per_minute,
    create_indexes,
    listed_columns,
    select_page,
)
from adapters.view_schema import view_schema
from domain.events import RecordingEvent
from domain.summary import RecordingSummary, evolve_summary

SCHEMA_VERSION = 4
"""Increase this with every change to the columns, to what `status_of` returns, or to what `evolve_summary` makes of an
event. A change to the summary's fields is noticed without it, and so is one to their schema's words."""

SCHEMA = view_schema(SCHEMA_VERSION, TypeAdapter(RecordingSummary))
"""What rows are made of: with the version, the summary's own fields."""

_LIVE, _NEXT = "summaries", "summaries_next"

ReadEvents = Callable[[int], Sequence[RecordedEvent]]
"""Returns the next events after a position, in order; none at the end."""

StatusOf = Callable[[RecordingSummary], str]
"""A recording's status in lists, as one word; lists can be filtered by it."""


class SummaryStore:
    """Recording summaries in one place. Blocking: write in a thread; `find` and `page` are quick look-ups.

    Several processes may write: each says which position it continues from, and only one of them can be right.
    Raises: DatabaseFull; DatabaseUnavailable.
    """

    def __init__(
        self, place: Place, *, status_of: StatusOf = attrgetter("standing"), begins_anew: bool = False
    ) -> None:
        """`begins_anew`: empties a view with another schema version, as only the service may.

        Raises: OtherSchema, if it does not; also sqlite3.Error; OSError.
        """
        self._status_of = status_of
        self._database = open_database(place, durable=False)
        with making_tables(self._database) as tables:
            tables.execute("CREATE TABLE IF NOT EXISTS summaries_position (position INTEGER NOT NULL)")
            tables.execute("CREATE TABLE IF NOT EXISTS summaries_schema (version INTEGER NOT NULL)")
            is_new = _position(tables) is None
            if is_new:
                tables.execute("INSERT INTO summaries_position VALUES (0)")
            if is_new or (begins_anew and _schema(tables) != SCHEMA):
                _begin_anew(tables)
            _own_position(tables)
        # Counts take long, and what an event loop looks up by itself must not wait for them.
        self._counting = open_database(place, durable=False) if self._database.answers_at_once else self._database

    @property
    def answers_at_once(self) -> bool:
        """Whether an event loop may look something up."""
        return self._database.answers_at_once

    def use_for(self, log_identity: str, newest_head: NewestHead) -> None:
        """Start over when the rows are from another log, or from a later state of this one, as after a restore."""
        with self._database.writing(patient=True) as tables:
            if not is_of_log(tables, log_identity) or (_position(tables) or 0) > newest_head():
                tables.execute(f"DELETE FROM {_LIVE}")  # noqa: S608
                _set_position(tables, 0)

    def give_back(self) -> None:
        """Let the file shrink by what a rebuild has left of it."""
        self._database.give_back()

    def position(self) -> int:
        """The position of the last event that the rows reflect; 0 for an empty view."""
        with self._database.reading() as tables:
            return _position(tables) or 0

    def find(self, recording_id: UUID) -> RecordingSummary | None:
        with self._database.reading() as tables:
            return _find_each(tables, _LIVE, [recording_id]).get(recording_id)

    def deleted(self, recording_ids: Collection[UUID]) -> set[UUID]:
        """Those of the recordings that are deleted."""
        ids = [recording_id.bytes for recording_id in recording_ids]
        places = ",".join("?" * len(ids))
        query = f"SELECT recording_id FROM {_LIVE} WHERE is_deleted=1 AND recording_id IN ({places})"  # noqa: S608
        with self._database.reading() as tables:
            return {UUID(bytes=bytes(its_id)) for (its_id,) in tables.execute(query, ids)} if ids else set()

    def page(self, query: PageQuery) -> Page:
        """The recordings that `query` asks for, newest first. Costs the same however many there are."""
        with self._database.reading() as tables:
            return select_page(tables, _LIVE, query)

    def counts(self, tenant_id: str, statuses: Sequence[str]) -> dict[str, int]:
        """How many of the tenant's recordings have each of these statuses. For a thread: it takes longer the more there
        are."""
        with self._counting.reading() as tables:
            return count_by_status(tables, _LIVE, tenant_id, statuses)

    def per_minute(self, tenant_id: str, order: Order, *, since: datetime) -> dict[datetime, int]:
        """How many of the tenant's recordings have their time in each minute since then; none of those without any. For
        a thread."""
        with self._counting.reading() as tables:
            return count_per_minute(tables, _LIVE, tenant_id, order, since=since)

    def apply(self, events: Sequence[RecordedEvent], *, after: int) -> None:
        """Fold `events`, which follow position `after`, into the rows.

        Raises: OtherSchema; PositionMoved when the view is not at `after`. Then nothing is written.
        """
        with self._database.writing() as tables:
            if _own_position(tables) != after:
                raise PositionMoved
            self._fold_into(tables, _LIVE, events)
            _set_position(tables, events[-1].position)

    def rebuild(self, read: ReadEvents) -> int:
        """Rebuild the view from the log's first event; queries see the old rows until the new ones are complete.

        Returns: the position that it then reflects. Raises: OtherSchema; RebuildRunning.
        """
        with self._database.one_rebuild():
            return self._rebuild(read)

    def _rebuild(self, read: ReadEvents) -> int:
        with self._database.writing(patient=True) as tables:
            _own_position(tables)
            tables.execute(f"DROP TABLE IF EXISTS {_NEXT}")
            _create_rows(tables, _NEXT)
        position = 0
        while events := read(position):
            with self._database.writing() as tables:
                _own_position(tables)
                self._fold_into(tables, _NEXT, events)
            position = events[-1].position
        with self._database.writing(patient=True) as tables:  # what was recorded meanwhile, while every writer waits
            _own_position(tables)
            while events := read(position):
                self._fold_into(tables, _NEXT, events)
                position = events[-1].position
            tables.execute(f"DROP TABLE {_LIVE}")
            tables.execute(f"ALTER TABLE {_NEXT} RENAME TO {_LIVE}")
            create_indexes(tables, _LIVE)
            _set_position(tables, position)
        return position

    def close(self) -> None:
        """Wait for current reads and writes, then close the file."""
        if self._counting is not self._database:
            self._counting.close()
        self._database.close()

    def _fold_into(self, tables: Tables, table: str, events: Sequence[RecordedEvent]) -> None:
        """One read for all, and one write for each recording that the events touch, however many events it has."""
        by_recording = attrgetter("stream_id")
        before = _find_each(tables, table, {recorded.stream_id for recorded in events})
        rows = []
        for recording_id, its_events in groupby(sorted(events, key=by_recording), key=by_recording):
            summary = before.get(recording_id)
            for recorded in its_events:
                if isinstance(recorded.event, RecordingEvent):
                    summary = evolve_summary(summary, recorded.event)
            if summary is not None:
                listed = listed_columns(summary, self._status_of(summary))
                rows.append((recording_id.bytes, *listed, summary.model_dump_json().encode()))
        places = ",".join("?" * (len(COLUMNS) + 2))
        changes = ", ".join(f"{name}=excluded.{name}" for name in (*COLUMNS, "summary"))
        tables.executemany(
            f"INSERT INTO {table} VALUES ({places}) ON CONFLICT (recording_id) DO UPDATE SET {changes}",  # noqa: S608
            rows,
        )


def _begin_anew(tables: Tables) -> None:
    for table in (_LIVE, _NEXT):
        tables.execute(f"DROP TABLE IF EXISTS {table}")
    _create_rows(tables, _LIVE)
    create_indexes(tables, _LIVE)
    _set_position(tables, 0)
    tables.execute("DELETE FROM summaries_schema")
    tables.execute("INSERT INTO summaries_schema VALUES (?)", (SCHEMA,))


def _create_rows(tables: Tables, table: str) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    tables.execute(
        f"CREATE TABLE {table} (recording_id BLOB PRIMARY KEY, {columns}, summary BLOB NOT NULL) WITHOUT ROWID"
    )


def _schema(tables: Tables) -> int | None:
    """None for a view from before there were versions, and for a new one."""
    row = tables.execute("SELECT version FROM summaries_schema").fetchone()
    return None if row is None else int(row[0])


def _position(tables: Tables) -> int | None:
    row = tables.execute("SELECT position FROM summaries_position").fetchone()
    return None if row is None else int(row[0])


def _own_position(tables: Tables) -> int:
    """The position, of rows that this version could have made. Raises: OtherSchema."""
    query = "SELECT position, (SELECT version FROM summaries_schema) FROM summaries_position"
    position, schema = tables.execute(query).fetchone()
    if schema != SCHEMA:
        raise OtherSchema("The status view")
    return int(position)


def _set_position(tables: Tables, position: int) -> None:
    tables.execute("UPDATE summaries_position SET position=?", (position,))


def _find_each(tables: Tables, table: str, recording_ids: Collection[UUID]) -> dict[UUID, RecordingSummary]:
    """Those that there are."""
    places = ",".join("?" * len(recording_ids))
    query = f"SELECT recording_id, summary FROM {table} WHERE recording_id IN ({places})"  # noqa: S608 - one of two names above
    rows = tables.execute(query, [recording_id.bytes for recording_id in recording_ids])
    return {UUID(bytes=bytes(its_id)): RecordingSummary.model_validate_json(summary) for its_id, summary in rows}
