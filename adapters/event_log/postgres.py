"""The event log in PostgreSQL: durable on return, ordered, many streams per transaction, any number of processes.

A commit is one call of one function. It holds a lock until its events are visible to others, so positions are dense and
in the order of commits: a reader in any process that has read up to a position has missed nothing before it.

Nearly always all appends of a batch fit, and one function inserts them without a look at each stream. When it finds
that not all do, it inserts nothing, and another one takes those that fit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, TypeVar, cast
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from eventsourcing.persistence import Notification, PersistenceError, StoredEvent

from adapters.event_log import postgres_arrays as arrays
from adapters.event_log.port import Append, Heard, LogFull, LogUnavailable, VersionConflict
from adapters.event_log.postgres_listener import PostgresListener
from adapters.event_log.postgres_schema import HEAD, PART, STEPS
from adapters.postgres.connections import Connection, Connections, connect, reason
from adapters.postgres.schema import bring_up_to_date, steps_done

T = TypeVar("T")

_APPEND_ALL = "SELECT tapedeck.append_all_2(%b, %b, %b, %b, %b, %b)"
_APPEND = "SELECT tapedeck.append_events_1(%b, %b::integer[], %b::bigint[], %b::integer[], %b::integer[], %b, %b)"
_ALL_BEFORE_IS_SAFE = "SELECT pg_logical_emit_message(true, 'tapedeck', '')"
"""An empty commit: it waits, as any other does, until all before it is where commits must be to be durable."""

_STREAM = """
SELECT version, topic, state, position FROM tapedeck.stored_events
WHERE stream_id = %b AND version > %b ORDER BY version LIMIT %b
"""
_POSITION = """
SELECT position FROM tapedeck.stored_events
WHERE stream_id = %b AND (%b::bigint IS NULL OR version = %b) ORDER BY version DESC LIMIT 1
"""
_ALL = """
SELECT stream_id, version, topic, state, position FROM tapedeck.stored_events
WHERE position >= %b ORDER BY position LIMIT %b
"""
_NEWEST = "SELECT version, topic, state FROM tapedeck.snapshots WHERE stream_id = %b"
_KEEP = """
INSERT INTO tapedeck.snapshots AS kept (stream_id, version, topic, state) VALUES (%b, %b, %b, %b)
ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version, topic = excluded.topic, state = excluded.state
WHERE kept.version <= excluded.version
"""


class PostgresLogRecorder:
    """The log in one database, whose tables are made if they are missing. Raises: LogFull, LogUnavailable."""

    def __init__(self, url: str) -> None:
        self.connections = Connections(url)
        self._listener: PostgresListener | None = None
        self._url = url
        try:
            self.identity = self._run(_prepared)
        except BaseException:
            self.connections.close()
            raise

    def insert_batch(self, appends: Sequence[Append]) -> list[int | VersionConflict]:
        """See `LogRecorder.insert_batch`.

        If the connection is lost, it is not known whether the batch is in the log. It is sent once more then, and what
        is in the log already is recognized.
        """
        if not appends:
            return []
        calls = 0

        def commit(connection: Connection) -> Sequence[int | None]:
            nonlocal calls
            calls += 1
            return _committed(connection, appends)

        positions = self._run(commit)
        if calls > 1 and None in positions:
            self._run(lambda connection: _only_row(connection, _ALL_BEFORE_IS_SAFE))
            positions = [
                self._position_of(append) if position is None else position
                for append, position in zip(appends, positions, strict=True)
            ]
        return [VersionConflict() if position is None else position for position in positions]

    def _position_of(self, append: Append) -> int | None:
        """Where the append ends in the log; None if its stream has other events there."""
        wanted = append.stored_events
        arguments = (append.stream_id, append.expected_version, len(wanted))
        rows = self._run(lambda connection: _rows(connection, _STREAM, arguments))
        if not rows or [(topic, state) for _, topic, state, _ in rows] != [
            (stored.topic, stored.state) for stored in wanted
        ]:
            return None
        return cast("int", rows[-1][-1])

    def select_events(
        self, originator_id: UUID, *, gt: int | None = None, limit: int | None = None
    ) -> Sequence[StoredEvent]:
        """See `LogRecorder.select_events`."""
        rows = self._run(lambda connection: _rows(connection, _STREAM, (originator_id, gt or 0, limit)))
        return [StoredEvent(originator_id, version, topic, state) for version, topic, state, _ in rows]

    def select_notifications(
        self, start: int | None, limit: int, *, inclusive_of_start: bool = True
    ) -> Sequence[Notification]:
        """See `LogRecorder.select_notifications`."""
        first = (start or 0) + (0 if inclusive_of_start else 1)
        return [Notification(*row) for row in self._run(lambda connection: _rows(connection, _ALL, (first, limit)))]

    def select_position(self, originator_id: UUID, version: int | None = None) -> int | None:
        """See `LogRecorder.select_position`."""
        rows = self._run(lambda connection: _rows(connection, _POSITION, (originator_id, version, version)))
        return cast("int", rows[0][0]) if rows else None

    def max_notification_id(self) -> int | None:
        """See `LogRecorder.max_notification_id`."""
        (position,) = self._run(lambda connection: _only_row(connection, HEAD))
        return cast("int | None", position)

    def set_identity(self, identity: str) -> None:
        """See `CopyRecorder.set_identity`."""
        self._run(lambda connection: connection.execute("UPDATE tapedeck.log_identity SET id = %s", [identity]).close())
        self.identity = identity

    def listen(self, heard: Heard) -> None:
        """See `LogRecorder.listen`: by LISTEN, on a connection and in a thread of its own."""
        if self._listener is not None:
            raise ValueError("Somebody listens to this log already.")
        self._listener = PostgresListener(self._url, heard)

    def _run(self, work: Callable[[Connection], T]) -> T:
        with _errors_named():
            return self.connections.run(work)

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self.connections.close()


class PostgresSnapshotRecorder:
    """Snapshots beside their log, in the same database. Only the newest one of each stream is kept."""

    def __init__(self, log: PostgresLogRecorder) -> None:
        self._connections = log.connections

    def select_events(
        self,
        originator_id: UUID,
        *,
        desc: bool = False,  # noqa: ARG002 - there is one at most
        limit: int | None = None,  # noqa: ARG002
    ) -> Sequence[StoredEvent]:
        """See `SnapshotRecorder`."""
        rows = self._run(lambda connection: _rows(connection, _NEWEST, (originator_id,)))
        return [StoredEvent(originator_id, version, topic, state) for version, topic, state in rows]

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """See `SnapshotRecorder`."""
        rows = [(kept.originator_id, kept.originator_version, kept.topic, kept.state) for kept in stored_events]

        def keep(connection: Connection) -> None:
            with connection.cursor() as cursor:
                cursor.executemany(_KEEP, rows)

        self._run(keep)
        return None

    def delete_events(self, originator_id: UUID) -> None:
        """See `SnapshotRecorder.delete_events`."""
        statement = "DELETE FROM tapedeck.snapshots WHERE stream_id = %b"
        self._run(lambda connection: connection.execute(statement, (originator_id,)).close())

    def _run(self, work: Callable[[Connection], T]) -> T:
        try:
            return self._connections.run(work)
        except psycopg.Error as error:
            raise PersistenceError(reason(error)) from error


def has_log(url: str) -> bool:
    """Whether a log was ever made in the database. Raises: LogUnavailable."""
    with _errors_named(), connect(url) as connection:
        return steps_done(connection, PART) > 0


def _prepared(connection: Connection) -> str:
    """Brings the schema up to date; returns the log's identity."""
    bring_up_to_date(connection, PART, STEPS)
    (identity,) = _only_row(connection, "SELECT id FROM tapedeck.log_identity")
    return cast("str", identity)


def _committed(connection: Connection, appends: Sequence[Append]) -> Sequence[int | None]:
    """The position of each append's last event; None of one that did not fit."""
    begins = _begins(appends)
    if begins is not None:
        known = _KNOWN.setdefault(connection, {})
        (head,) = _only_row(connection, _APPEND_ALL, _arguments_of_all(appends, begins, known))
        if head is not None:
            _remember(known, appends)
            return _positions(appends, head)
    (outcomes,) = _only_row(connection, _APPEND, _arguments(appends))
    return cast("list[int | None]", outcomes)


def _begins(appends: Sequence[Append]) -> dict[UUID, int] | None:
    """The version that each stream must be at; None if the appends of one do not follow each other."""
    begins: dict[UUID, int] = {}
    ends: dict[UUID, int] = {}
    for append in appends:
        its_id, version = append.stream_id, append.expected_version
        if ends.get(its_id, version) != version:
            return None
        begins.setdefault(its_id, version)
        ends[its_id] = version + len(append.stored_events)
    return begins


_KNOWN: WeakKeyDictionary[Connection, dict[UUID, int]] = WeakKeyDictionary()
"""Streams' versions that were committed on this connection: the log has those events, whatever came after them. Another
connection may be to a server that was set back to an older copy."""

_MOST_KNOWN = 10_000


def _remember(known: dict[UUID, int], appends: Sequence[Append]) -> None:
    if len(known) > _MOST_KNOWN:
        known.clear()
    known.update({append.stream_id: append.expected_version + len(append.stored_events) for append in appends})


def _arguments_of_all(
    appends: Sequence[Append], begins: Mapping[UUID, int], known: Mapping[UUID, int]
) -> tuple[arrays.EncodedArray, ...]:
    """The batch as `append_all_2` takes it. What is `known` need not be looked up, and a first event follows none."""
    there = [(its_id, version) for its_id, version in begins.items() if version and known.get(its_id) != version]
    events = [stored for append in appends for stored in append.stored_events]
    return (
        arrays.uuids([its_id for its_id, _ in there]),
        arrays.bigints([version for _, version in there]),
        arrays.uuids([append.stream_id for append in appends for _ in append.stored_events]),
        arrays.bigints([stored.originator_version for stored in events]),
        arrays.texts([stored.topic for stored in events]),
        arrays.byteas([stored.state for stored in events]),
    )


def _positions(appends: Sequence[Append], head: int) -> list[int]:
    """Of each append's last event, if the very last one is at `head`."""
    counts = [len(append.stored_events) for append in appends]
    return list(accumulate(counts, initial=head - sum(counts)))[1:]


def _arguments(appends: Sequence[Append]) -> tuple[list[Any], ...]:
    """The batch as `append_events_1` takes it, column by column. psycopg sends it in PostgreSQL's binary form."""
    streams: dict[UUID, int] = {}
    stream_of_append = [streams.setdefault(append.stream_id, len(streams) + 1) for append in appends]
    events = [(number, stored) for number, append in enumerate(appends, 1) for stored in append.stored_events]
    return (
        list(streams),
        stream_of_append,
        [append.expected_version for append in appends],
        [len(append.stored_events) for append in appends],
        [number for number, _ in events],
        [stored.topic for _, stored in events],
        [stored.state for _, stored in events],
    )


def _rows(connection: Connection, statement: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor(binary=True) as cursor:
        return cursor.execute(statement, arguments).fetchall()


def _only_row(connection: Connection, statement: str, arguments: Sequence[Any] = ()) -> tuple[Any, ...]:
    (row,) = _rows(connection, statement, arguments)
    return row


@contextmanager
def _errors_named() -> Iterator[None]:
    try:
        yield
    except psycopg.errors.DiskFull as error:
        raise LogFull("The event log has no room to grow.") from error
    except psycopg.Error as error:
        raise LogUnavailable(f"The event log cannot be used: {reason(error)}.") from error
