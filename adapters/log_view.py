"""A view that is made from some of the log's events: its rows and the log position that they reflect change in one
transaction.

So each event takes effect exactly once. The view can always be rebuilt from the log; therefore a commit to a file does
not wait until it is on disk, and the service empties a view with another schema version, and fills it from the log
again. Until then, nothing is written into that.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from adapters.database.log_identity import NewestHead, is_of_log
from adapters.database.opening import making_tables, open_database
from adapters.database.port import Place, Tables
from adapters.event_log.mapper import RecordedEvent
from adapters.rebuilding import OtherSchema, PositionMoved

_LIVE, _NEXT = "", "_next"

ReadEvents = Callable[[int], Sequence[RecordedEvent]]
"""Returns the next events after a position, in order; none at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """`view`: what it is called, to begin a sentence. `schema`: another number whenever the rows would be others.
    `tables`: the columns of each. `indexes`: statements that create them."""

    view: str
    schema: int
    tables: Mapping[str, str]
    indexes: Sequence[str]


class LogView(ABC):
    """A view in one place. Blocking: write in a thread.

    Several processes may write: each says which position it continues from, and only one of them can be right.
    Raises: DatabaseFull; DatabaseUnavailable.
    """

    def __init__(self, place: Place, layout: Layout, *, begins_anew: bool) -> None:
        """`begins_anew`: empties a view with another schema version, as only the service may.

        Raises: OtherSchema, if it does not; also sqlite3.Error; OSError.
        """
        self._layout = layout
        self._database = open_database(place, durable=False)
        with making_tables(self._database) as tables:
            tables.execute("CREATE TABLE IF NOT EXISTS reflects (position INTEGER NOT NULL, schema INTEGER NOT NULL)")
            row = tables.execute("SELECT schema FROM reflects").fetchone()
            if row is None or (begins_anew and row[0] != layout.schema):
                self._begin_anew(tables)
            self._own_position(tables)

    @abstractmethod
    def _fold_into(self, tables: Tables, suffix: str, events: Sequence[RecordedEvent]) -> None:
        """Fold the events into the tables whose names end in `suffix`; those that mean nothing for the view, too."""
        ...

    @property
    def answers_at_once(self) -> bool:
        """Whether an event loop may look something up."""
        return self._database.answers_at_once

    def use_for(self, log_identity: str, newest_head: NewestHead) -> None:
        """Start over when the rows are from another log, or from a later state of this one, as after a restore."""
        with self._database.writing(patient=True) as tables:
            if not is_of_log(tables, log_identity) or position_of(tables) > newest_head():
                self._begin_anew(tables)

    def give_back(self) -> None:
        """Let the file shrink by what a rebuild has left of it."""
        self._database.give_back()

    def position(self) -> int:
        """The position of the last event that the rows reflect; 0 for an empty view."""
        with self._database.reading() as tables:
            return position_of(tables)

    def apply(self, events: Sequence[RecordedEvent], *, after: int, up_to: int | None = None) -> None:
        """Fold `events` into the rows: those that mean something, of all events from after `after` to `up_to`, or to
        the last of them.

        Raises: OtherSchema; PositionMoved when the view is not at `after`. Then nothing is written.
        """
        with self._database.writing() as tables:
            if self._own_position(tables) != after:
                raise PositionMoved
            self._fold_into(tables, _LIVE, events)
            set_position(tables, events[-1].position if up_to is None else up_to)

    def rebuild(self, read: ReadEvents) -> int:
        """Rebuild the view from the log's first event; queries see the old rows until the new ones are complete.

        Returns: the position that it then reflects. Raises: OtherSchema; RebuildRunning.
        """
        with self._database.one_rebuild():
            return self._rebuild(read)

    def _rebuild(self, read: ReadEvents) -> int:
        with self._database.writing(patient=True) as tables:
            self._own_position(tables)
            self._drop_tables(tables, _NEXT)
            self._create_tables(tables, _NEXT)
        position = 0
        while events := read(position):
            with self._database.writing() as tables:
                self._own_position(tables)
                self._fold_into(tables, _NEXT, events)
            position = events[-1].position
        with self._database.writing(patient=True) as tables:  # what was recorded meanwhile, while every writer waits
            self._own_position(tables)
            while events := read(position):
                self._fold_into(tables, _NEXT, events)
                position = events[-1].position
            self._drop_tables(tables, _LIVE)
            for table in self._layout.tables:
                tables.execute(f"ALTER TABLE {table}{_NEXT} RENAME TO {table}")
            self._create_indexes(tables)
            set_position(tables, position)
        return position

    def close(self) -> None:
        """Wait for current reads and writes, then close the file."""
        self._database.close()

    def _reading(self) -> AbstractContextManager[Tables]:
        return self._database.reading()

    def _own_position(self, tables: Tables) -> int:
        """The position, of rows that this version could have made. Raises: OtherSchema."""
        position, schema = tables.execute("SELECT position, schema FROM reflects").fetchone()
        if schema != self._layout.schema:
            raise OtherSchema(self._layout.view)
        return int(position)

    def _begin_anew(self, tables: Tables) -> None:
        self._drop_tables(tables, _NEXT)
        self._drop_tables(tables, _LIVE)
        self._create_tables(tables, _LIVE)
        self._create_indexes(tables)
        tables.execute("DELETE FROM reflects")
        tables.execute("INSERT INTO reflects VALUES (0, ?)", (self._layout.schema,))

    def _create_tables(self, tables: Tables, suffix: str) -> None:
        for table, columns in self._layout.tables.items():
            tables.execute(f"CREATE TABLE {table}{suffix} ({columns}) WITHOUT ROWID")

    def _drop_tables(self, tables: Tables, suffix: str) -> None:
        for table in self._layout.tables:
            tables.execute(f"DROP TABLE IF EXISTS {table}{suffix}")

    def _create_indexes(self, tables: Tables) -> None:
        for statement in self._layout.indexes:
            tables.execute(statement)


def position_of(tables: Tables) -> int:
    return int(tables.execute("SELECT position FROM reflects").fetchone()[0])


def set_position(tables: Tables, position: int) -> None:
    tables.execute("UPDATE reflects SET position=?", (position,))
