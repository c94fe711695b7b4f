"""Keeps a view of all ambient sessions, and which recordings belong to each. Deleted recordings belong to none.

A recording may come before its session is announced: then the row waits for the announcement, and no query sees it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pydantic import TypeAdapter

from adapters.database.port import Place, Tables
from adapters.event_log.mapper import RecordedEvent
from adapters.log_view import Layout, LogView
from adapters.view_schema import view_schema
from domain.ambient_session import AmbientSession
from domain.events import AmbientSessionEvent, RecordingDeleted, RecordingOpened
from domain.session_summary import SessionSummary, concerns_sessions, evolve_session_summary

SCHEMA_VERSION = 1
"""Increase this with every change to the tables, to what `evolve_session_summary` makes of an event, or to which
session a recording belongs. A change to the fields of `SessionSummary` is noticed without it."""

_SUMMARY = TypeAdapter(SessionSummary)

_LAYOUT = Layout(
    view="The view of ambient sessions",
    schema=view_schema(SCHEMA_VERSION, _SUMMARY),
    tables={
        "ambient_sessions": "session_id BLOB PRIMARY KEY, tenant_id TEXT, opened_at TEXT, has_ended INTEGER NOT NULL, "
        "state BLOB NOT NULL",
        "session_recordings": "recording_id BLOB PRIMARY KEY, session_id BLOB NOT NULL, begun_at TEXT NOT NULL",
    },
    indexes=(
        "CREATE INDEX sessions_by_tenant ON ambient_sessions (tenant_id, opened_at DESC, session_id DESC)",
        "CREATE INDEX sessions_by_state ON ambient_sessions (tenant_id, has_ended, opened_at DESC, session_id DESC)",
        "CREATE INDEX recordings_by_session ON session_recordings (session_id, begun_at DESC, recording_id DESC)",
    ),
)
"""Times are texts of one length in UTC, which sort in the order of the times. `opened_at`: when the session was first
announced; null, as `tenant_id`, until then. Every page is read from one of the indexes."""

SessionOf = Callable[[RecordingOpened], UUID | None]
"""The session that a recording belongs to, by how it was opened; None for one that belongs to none."""


@dataclass(frozen=True, slots=True)
class SessionPlace:
    """A session's place in a list, which never changes."""

    time: datetime
    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsQuery:
    """Up to `limit` sessions of one tenant, those announced last first, those after the place `after`. `has_ended`:
    only those that have, or have not."""

    tenant_id: str
    limit: int
    has_ended: bool | None = None
    after: SessionPlace | None = None


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session that was announced. `session`: that of its summary."""

    session_id: UUID
    session: AmbientSession
    summary: SessionSummary

    @property
    def place(self) -> SessionPlace:
        return SessionPlace(self.session.first_opened_at, self.session_id)


@dataclass(frozen=True, slots=True)
class SessionsPage:
    """`has_more`: whether there are more after the last of `rows`."""

    rows: list[ListedSession]
    has_more: bool


class AmbientSessionStore(LogView):
    """Ambient sessions in one place; `find`, `page` and `recordings` are quick look-ups."""

    def __init__(self, place: Place, *, session_of: SessionOf, begins_anew: bool = False) -> None:
        """As `LogView`."""
        self._session_of = session_of
        super().__init__(place, _LAYOUT, begins_anew=begins_anew)

    def find(self, session_id: UUID) -> ListedSession | None:
        """None also for one that was not announced."""
        with self._reading() as tables:
            summary = _find(tables, "", session_id)
        if summary is None or summary.session is None:
            return None
        return ListedSession(session_id, summary.session, summary)

    def page(self, query: SessionsQuery) -> SessionsPage:
        """The sessions that `query` asks for. Costs the same however many there are."""
        with self._reading() as tables:
            return _select_page(tables, query)

    def recordings(self, session_id: UUID, limit: int) -> list[UUID]:
        """At most so many of the session's recordings, those begun last first."""
        query = (
            "SELECT recording_id FROM session_recordings WHERE session_id=? "
            "ORDER BY begun_at DESC, recording_id DESC LIMIT ?"
        )
        with self._reading() as tables:
            return [UUID(bytes=bytes(row[0])) for row in tables.execute(query, (session_id.bytes, limit))]

    def _fold_into(self, tables: Tables, suffix: str, events: Sequence[RecordedEvent]) -> None:
        """One look-up for all recordings, and one read and one write for each session that the events touch."""
        concerned = [recorded for recorded in events if concerns_sessions(recorded.event)]
        known = {recorded.stream_id for recorded in concerned if not isinstance(recorded.event, AmbientSessionEvent)}
        sessions_of = _sessions_of(tables, suffix, known)
        changed: dict[UUID, SessionSummary | None] = {}
        for recorded in concerned:
            session_id = self._session_of_event(sessions_of, recorded)
            if session_id is None:
                continue
            if session_id not in changed:
                changed[session_id] = _find(tables, suffix, session_id)
            changed[session_id] = evolve_session_summary(changed[session_id], recorded.event)
            if isinstance(recorded.event, RecordingOpened):
                _link(tables, suffix, recorded.stream_id, session_id, recorded.event.at)
            elif isinstance(recorded.event, RecordingDeleted):
                del sessions_of[recorded.stream_id]
                tables.execute(
                    f"DELETE FROM session_recordings{suffix} WHERE recording_id=?",  # noqa: S608
                    (recorded.stream_id.bytes,),
                )
        for session_id, summary in changed.items():
            _put(tables, suffix, session_id, summary)

    def _session_of_event(self, sessions_of: dict[UUID, UUID], recorded: RecordedEvent) -> UUID | None:
        """`sessions_of`: of recordings that are known by now."""
        if isinstance(recorded.event, AmbientSessionEvent):
            return recorded.stream_id
        if isinstance(recorded.event, RecordingOpened):
            session_id = self._session_of(recorded.event)
            if session_id is not None:
                sessions_of[recorded.stream_id] = session_id
        return sessions_of.get(recorded.stream_id)


_IDS_AT_ONCE = 500
"""A statement takes only so many values."""


def _sessions_of(tables: Tables, suffix: str, recording_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The sessions of those of the recordings that belong to any."""
    ids = [recording_id.bytes for recording_id in recording_ids]
    found: dict[UUID, UUID] = {}
    for start in range(0, len(ids), _IDS_AT_ONCE):
        asked = ids[start : start + _IDS_AT_ONCE]
        query = (
            f"SELECT recording_id, session_id FROM session_recordings{suffix} "  # noqa: S608
            f"WHERE recording_id IN ({','.join('?' * len(asked))})"
        )
        found |= {UUID(bytes=bytes(row[0])): UUID(bytes=bytes(row[1])) for row in tables.execute(query, asked)}
    return found


def _link(tables: Tables, suffix: str, recording_id: UUID, session_id: UUID, begun_at: datetime) -> None:
    tables.execute(
        f"INSERT INTO session_recordings{suffix} VALUES (?,?,?)",  # noqa: S608
        (recording_id.bytes, session_id.bytes, _stored(begun_at)),
    )


def _put(tables: Tables, suffix: str, session_id: UUID, summary: SessionSummary | None) -> None:
    if summary is None:
        query = f"DELETE FROM ambient_sessions{suffix} WHERE session_id=?"  # noqa: S608
        tables.execute(query, (session_id.bytes,))
        return
    session = summary.session
    tables.execute(
        f"INSERT INTO ambient_sessions{suffix} VALUES (?,?,?,?,?) ON CONFLICT (session_id) DO UPDATE SET "  # noqa: S608
        "tenant_id=excluded.tenant_id, opened_at=excluded.opened_at, has_ended=excluded.has_ended, "
        "state=excluded.state",
        (
            session_id.bytes,
            session.tenant_id if session else None,
            _stored(session.first_opened_at) if session else None,
            int(summary.ended_at is not None),
            _SUMMARY.dump_json(summary),
        ),
    )


def _find(tables: Tables, suffix: str, session_id: UUID) -> SessionSummary | None:
    query = f"SELECT state FROM ambient_sessions{suffix} WHERE session_id=?"  # noqa: S608
    row = tables.execute(query, (session_id.bytes,)).fetchone()
    return None if row is None else _SUMMARY.validate_json(row[0])


def _select_page(tables: Tables, query: SessionsQuery) -> SessionsPage:
    """Read one row more than the page has, to know whether there are more."""
    conditions = ["tenant_id=?"]
    values: list[str | bytes | int] = [query.tenant_id]
    if query.has_ended is not None:
        conditions.append("has_ended=?")
        values.append(int(query.has_ended))
    if query.after is not None:
        conditions.append("(opened_at, session_id) < (?, ?)")
        values += [_stored(query.after.time), query.after.session_id.bytes]
    found = tables.execute(
        f"SELECT session_id, state FROM ambient_sessions WHERE {' AND '.join(conditions)} "  # noqa: S608
        "ORDER BY opened_at DESC, session_id DESC LIMIT ?",
        (*values, query.limit + 1),
    ).fetchall()
    rows = [
        ListedSession(UUID(bytes=bytes(session_id)), summary.session, summary)
        for session_id, state in found[: query.limit]
        if (summary := _SUMMARY.validate_json(state)).session is not None
    ]
    return SessionsPage(rows, has_more=len(found) > query.limit)


def _stored(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")
