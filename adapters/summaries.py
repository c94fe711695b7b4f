"""Keeps the status view in SQLite: rows and the log position that they reflect change in one transaction.

So each event takes effect exactly once. The view can always be rebuilt from the log; therefore a commit does not wait
until it is on disk, and a file with another schema version is emptied and filled from the log again.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import groupby
from json import dumps
from operator import attrgetter
from pathlib import Path
from uuid import UUID

from adapters.event_log.mapper import RecordedEvent
from adapters.rebuilding import PositionMoved, one_rebuild
from adapters.sqlite_file import connect, give_back, is_of_log, writing
from adapters.summary_pages import COLUMNS, Page, PageQuery, create_indexes, listed_columns, select_page
from domain.events import RecordingEvent
from domain.summary import RecordingSummary, evolve_summary

SCHEMA_VERSION = 4
"""Increase this with every change to the columns, to what `status_of` returns, or to what `evolve_summary` makes of an
event. A change to the summary's fields is noticed without it, and so is one to their schema's words."""

_FIELDS = sha256(dumps(RecordingSummary.model_json_schema(), sort_keys=True).encode()).digest()

SCHEMA = SCHEMA_VERSION << 40 | int.from_bytes(_FIELDS[:5])
"""What rows are made of: with the version, the summary's own fields."""

_LIVE, _NEXT = "summaries", "summaries_next"

ReadEvents = Callable[[int], Sequence[RecordedEvent]]
"""Returns the next events after a position, in order; none at the end."""

StatusOf = Callable[[RecordingSummary], str]
"""A recording's status in lists, as one word; lists can be filtered by it."""


class SummaryStore:
    """Recording summaries in one file. Blocking: write in a thread; `find` and `page` are quick look-ups.

    Several processes may write: each says which position it continues from, and only one of them can be right.
    """

    def __init__(self, path: Path, *, status_of: StatusOf = attrgetter("standing")) -> None:
        self._path = path
        self._status_of = status_of
        self._writer = connect(path, durable=False)
        self._reader = connect(path, durable=False)
        # Held while a connection is used: a call in a thread runs on when its caller is gone, and closing waits for it.
        self._writing, self._reading = threading.Lock(), threading.Lock()
        with self._transaction():
            self._writer.execute("CREATE TABLE IF NOT EXISTS summaries_position (position INTEGER NOT NULL)")
            if _position(self._writer) is None:
                self._writer.execute("INSERT INTO summaries_position VALUES (0)")
            if _schema(self._writer) != SCHEMA:
                self._begin_anew()

    def _begin_anew(self) -> None:
        for table in (_LIVE, _NEXT):
            self._writer.execute(f"DROP TABLE IF EXISTS {table}")
        _create_rows(self._writer, _LIVE)
        create_indexes(self._writer, _LIVE)
        _set_position(self._writer, 0)
        self._writer.execute("CREATE TABLE IF NOT EXISTS summaries_schema (version INTEGER NOT NULL)")
        self._writer.execute("DELETE FROM summaries_schema")
        self._writer.execute("INSERT INTO summaries_schema VALUES (?)", (SCHEMA,))

    def use_for(self, log_identity: str, head: int) -> None:
        """Start over when the rows are from another log, or from a later state of this one, as after a restore."""
        with self._transaction():
            if not is_of_log(self._writer, log_identity) or (_position(self._writer) or 0) > head:
                self._writer.execute(f"DELETE FROM {_LIVE}")  # noqa: S608
                _set_position(self._writer, 0)

    def give_back(self) -> None:
        """Let the file shrink by what a rebuild has left of it."""
        with self._writing:
            give_back(self._writer)

    def position(self) -> int:
        """The position of the last event that the rows reflect; 0 for an empty view."""
        with self._reading:
            return _position(self._reader) or 0

    def find(self, recording_id: UUID) -> RecordingSummary | None:
        with self._reading:
            return _find(self._reader, _LIVE, recording_id)

    def page(self, query: PageQuery) -> Page:
        """The recordings that `query` asks for, newest first. Costs the same however many there are."""
        with self._reading:
            return select_page(self._reader, _LIVE, query)

    def apply(self, events: Sequence[RecordedEvent], *, after: int) -> None:
        """Fold `events`, which follow position `after`, into the rows.

        Raises: PositionMoved when the view is not at `after`; then nothing is written.
        """
        with self._transaction():
            if _position(self._writer) != after:
                raise PositionMoved
            self._fold_into(_LIVE, events)
            _set_position(self._writer, events[-1].position)

    def rebuild(self, read: ReadEvents) -> int:
        """Rebuild the view from the log's first event; queries see the old rows until the new ones are complete.

        Returns: the position that it then reflects. Raises: RebuildRunning.
        """
        with one_rebuild(self._path):
            return self._rebuild(read)

    def _rebuild(self, read: ReadEvents) -> int:
        with self._transaction():
            self._writer.execute(f"DROP TABLE IF EXISTS {_NEXT}")
            _create_rows(self._writer, _NEXT)
        position = 0
        while events := read(position):
            with self._transaction():
                self._fold_into(_NEXT, events)
            position = events[-1].position
        with self._transaction():  # what was recorded meanwhile, while every other writer of the view waits
            while events := read(position):
                self._fold_into(_NEXT, events)
                position = events[-1].position
            self._writer.execute(f"DROP TABLE {_LIVE}")
            self._writer.execute(f"ALTER TABLE {_NEXT} RENAME TO {_LIVE}")
            create_indexes(self._writer, _LIVE)
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

    def _fold_into(self, table: str, events: Sequence[RecordedEvent]) -> None:
        """One read and one write for each recording that the events touch, however many events it has."""
        by_recording = attrgetter("stream_id")
        rows = []
        for recording_id, its_events in groupby(sorted(events, key=by_recording), key=by_recording):
            summary = _find(self._writer, table, recording_id)
            for recorded in its_events:
                if isinstance(recorded.event, RecordingEvent):
                    summary = evolve_summary(summary, recorded.event)
            if summary is not None:
                listed = listed_columns(summary, self._status_of(summary))
                rows.append((recording_id.bytes, *listed, summary.model_dump_json().encode()))
        places = ",".join("?" * (len(COLUMNS) + 2))
        self._writer.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({places})", rows)  # noqa: S608


def _create_rows(connection: sqlite3.Connection, table: str) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    connection.execute(
        f"CREATE TABLE {table} (recording_id BLOB PRIMARY KEY, {columns}, summary BLOB NOT NULL) WITHOUT ROWID"
    )


def _schema(connection: sqlite3.Connection) -> int | None:
    """None for a file from before there were versions, and for a new one."""
    query = "SELECT 1 FROM sqlite_master WHERE name='summaries_schema'"
    if connection.execute(query).fetchone() is None:
        return None
    row = connection.execute("SELECT version FROM summaries_schema").fetchone()
    return None if row is None else int(row[0])


def _position(connection: sqlite3.Connection) -> int | None:
    row = connection.execute("SELECT position FROM summaries_position").fetchone()
    return None if row is None else int(row[0])


def _set_position(connection: sqlite3.Connection, position: int) -> None:
    connection.execute("UPDATE summaries_position SET position=?", (position,))


def _find(connection: sqlite3.Connection, table: str, recording_id: UUID) -> RecordingSummary | None:
    query = f"SELECT summary FROM {table} WHERE recording_id=?"  # noqa: S608 - one of two names above
    row = connection.execute(query, (recording_id.bytes,)).fetchone()
    return None if row is None else RecordingSummary.model_validate_json(row[0])
