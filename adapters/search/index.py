"""The search index over transcripts in SQLite or PostgreSQL: what it holds and the log position that it reflects change
together.

Like the status view it can always be rebuilt from the log; therefore a commit to a file does not wait until it is on
disk, and the service fills an index with another schema version from the log again. Until then, nothing is written
into that.
"""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from adapters.database import port
from adapters.database.log_identity import NewestHead, is_of_log
from adapters.database.moving import remove
from adapters.database.opening import making_tables, open_database
from adapters.database.port import HeldUp, Place, PostgresPlace
from adapters.rebuilding import PositionMoved
from adapters.search.bitmaps import Bitmaps
from adapters.search.digests import KEY_BYTES, Digests, Owner
from adapters.search.engine import STATE, Engine
from adapters.search.fts5 import Fts5
from adapters.search.ranking import scores
from adapters.search.state import State, own_state, state_if_any, state_of
from adapters.search.tables import Row, Tables
from adapters.search.words import asked_words, indexed_words
from adapters.sqlite_file import DatabaseUnavailable

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 2
"""Increase this with every change to the tables, to words, digests or passages."""

NEWEST = 1_000
"""Of a word that more passages have, only the newest are looked at, so a search costs the same in any index."""

MOST_WORDS = 32
"""Further words of a query are ignored."""

MOST_MATCHES = 300


@dataclass(frozen=True, slots=True)
class Indexed:
    """A recording has this transcript, and no other. `passages`: the texts to be found, in order."""

    recording_id: UUID
    transcript_sha256: str
    owner: Owner
    passages: Sequence[str]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A recording has no transcript any more."""

    recording_id: UUID


Change = Indexed | Forgotten


@dataclass(frozen=True, slots=True)
class Changes:
    """What events up to `position` mean for the index."""

    position: int
    changes: Sequence[Change]


ReadChanges = Callable[[int], Changes | None]
"""Returns what the next events after a position mean; None at the end."""


@dataclass(frozen=True, slots=True)
class Match:
    """A passage, by its place in its transcript. `score`: above 0, at most 1; higher is better."""

    recording_id: UUID
    transcript_sha256: str
    place: int
    score: float


class SearchIndex:
    """Blocking: for threads. Several processes may write, each saying from which position it continues.

    Raises: DatabaseFull; DatabaseUnavailable.
    """

    def __init__(self, place: Place, *, begins_anew: bool = False) -> None:
        """`begins_anew`: empties an index with another schema version, as only the service may.

        Raises: OtherSchema, if it does not; also sqlite3.Error; OSError.
        """
        self._engine: Callable[[port.Tables], Engine] = Fts5 if isinstance(place, Path) else Bitmaps
        self._database = open_database(place, durable=False, erases=True)
        self._may_have_old_pages = True  # in a write-ahead log, if a process was killed just after erasing
        with making_tables(self._database) as tables:
            tables.execute(
                f"CREATE TABLE IF NOT EXISTS {STATE} (schema INTEGER NOT NULL, key BLOB NOT NULL, "
                "generation INTEGER NOT NULL, position INTEGER NOT NULL)"
            )
            state = state_if_any(tables)
            if state is None:
                self._begin_anew(tables, generation=1)
            elif begins_anew and state.schema != SCHEMA_VERSION:
                self._generation(tables, state.generation).drop()
                self._begin_anew(tables, generation=state.generation + 1)
            own_state(tables, SCHEMA_VERSION)
        if isinstance(place, PostgresPlace) and place.before is not None:
            remove(place.before)  # it is made anew here; what is deleted from now on would stay in the file

    def _begin_anew(self, tables: port.Tables, *, generation: int) -> None:
        tables.execute(f"DELETE FROM {STATE}")  # noqa: S608
        tables.execute(
            f"INSERT INTO {STATE} VALUES (?, ?, ?, 0)",  # noqa: S608
            (SCHEMA_VERSION, os.urandom(KEY_BYTES), generation),
        )
        fresh = self._generation(tables, generation)
        fresh.drop()  # those of a rebuild that was cut off
        fresh.create()

    def use_for(self, log_identity: str, newest_head: NewestHead) -> None:
        """Start over when the index is of another log, or of a later state of this one, as after a restore."""
        with self._database.writing(patient=True) as tables:
            state = state_of(tables)
            is_of_it = is_of_log(tables, log_identity) and state.position <= newest_head()
            if state.position and not is_of_it:
                self._generation(tables, state.generation).drop()
                self._begin_anew(tables, generation=state.generation + 1)

    def give_back(self) -> None:
        """Get rid of what `erase_some` had to leave, and let a file shrink by what removed passages have left of it."""
        while self._copy_some():
            pass
        self._empty_log()
        self._database.give_back()

    def position(self) -> int:
        """The position of the last event that the index reflects; 0 for an empty one."""
        with self._database.reading() as tables:
            return state_of(tables).position

    def apply(self, changes: Changes, *, after: int) -> None:
        """Take in what the events between `after` and the changes' position mean.

        Raises: OtherSchema; PositionMoved when the index is not at `after`. Then nothing is written.
        """
        with self._database.writing() as tables:
            state = own_state(tables, SCHEMA_VERSION)
            if state.position != after:
                raise PositionMoved
            _write(self._generation(tables, state.generation), state.key, changes.changes)
            tables.execute(f"UPDATE {STATE} SET position=?", (changes.position,))  # noqa: S608

    def erase_some(self) -> bool:
        """Get rid of a part of what removed passages left in the database's files. Returns whether to go on.

        While someone else reads it all in PostgreSQL, such as a backup, nothing of it can be dropped, and searches must
        not wait for that to end: it is left to `give_back`, or to the next time.
        """
        return self._copy_some() or not self._empty_log()

    def _copy_some(self) -> bool:
        """Whether more can be copied now. Another version's index is not for this one to copy."""
        try:
            with self._database.writing() as tables:
                state = state_of(tables)
                current = self._generation(tables, state.generation)
                if state.schema != SCHEMA_VERSION or not current.is_due():
                    return False
                current.copy_some()
                is_due = current.is_due()
        except HeldUp as error:
            logger.warning("what was removed from the search index is erased later", extra={"because": str(error)})
            return False
        self._may_have_old_pages = True
        return is_due

    def _empty_log(self) -> bool:
        """Whether it has nothing of what was removed any more. What is removed meanwhile is noted again."""
        if not self._may_have_old_pages:
            return True
        self._may_have_old_pages = is_empty = False
        try:
            is_empty = self._database.empty_log()
        finally:
            if not is_empty:
                self._may_have_old_pages = True
        return is_empty

    def rebuild(self, read: ReadChanges) -> int:
        """Rebuild the index from the log's first event; searches see the old one until the new one is complete.

        Returns: the position that it then reflects. Raises: OtherSchema; RebuildRunning.
        """
        with self._database.one_rebuild():
            return self._rebuild(read)

    def _rebuild(self, read: ReadChanges) -> int:
        with self._database.writing(patient=True) as tables:
            state = own_state(tables, SCHEMA_VERSION)
            fresh = self._generation(tables, state.generation + 1)
            fresh.drop()  # those of a rebuild that was cut off
            fresh.create()
        position = 0
        while found := read(position):
            with self._database.writing() as tables:
                _write(self._next(tables, state), state.key, found.changes)
            position = found.position
        with self._database.writing(patient=True) as tables:  # what was recorded meanwhile, while every writer waits
            fresh = self._next(tables, state)
            while found := read(position):
                _write(fresh, state.key, found.changes)
                position = found.position
            tables.execute(f"UPDATE {STATE} SET generation=generation+1, position=?", (position,))  # noqa: S608
            self._generation(tables, state.generation).drop()
        self._may_have_old_pages = True
        return position

    def _next(self, tables: port.Tables, begun_at: State) -> Tables:
        """What a rebuild makes. Raises: OtherSchema; DatabaseUnavailable if the index was begun anew since."""
        if own_state(tables, SCHEMA_VERSION).generation != begun_at.generation:
            raise DatabaseUnavailable("The search index was begun anew meanwhile.")
        return self._generation(tables, begun_at.generation + 1)

    def search(self, owner: Owner, query: str, *, recording_ids: Sequence[UUID] | None = None) -> list[Match]:
        """The passages of the owner's recordings, or of these, that match best; among equals the newest come first.

        None for a query without words.
        """
        words = asked_words(query)[:MOST_WORDS]
        if not words:
            return []
        with self._database.at_one_moment(STATE) as tables:  # also when a rebuild ends meanwhile
            state = state_of(tables)
            current, owner_key = self._generation(tables, state.generation), owner.key(state.key)
            asked = Digests(owner_key).of(words)
            if recording_ids is None:
                rows, found = _candidates(current, owner_key, asked)
                return _best(asked, rows, found)
            return _best(asked, [row for recording_id in recording_ids for row in current.rows_of(recording_id)])

    def _generation(self, tables: port.Tables, number: int) -> Tables:
        return Tables(tables, self._engine(tables), number)

    def close(self) -> None:
        """Wait for current reads and writes, then close the database."""
        self._database.close()


def _write(tables: Tables, key: bytes, changes: Sequence[Change]) -> None:
    made_for: dict[Owner, Digests] = {}
    for change in changes:
        tables.remove(change.recording_id)
        if isinstance(change, Indexed):
            digests = made_for.get(change.owner) or made_for.setdefault(change.owner, Digests(change.owner.key(key)))
            passages = [b"".join(digests.of(indexed_words(text))) for text in change.passages]
            tables.put(change.recording_id, change.transcript_sha256, digests.owner_key, passages)


def _candidates(tables: Tables, owner_key: bytes, asked: Sequence[bytes]) -> tuple[list[Row], list[int]]:
    """Passages that promise most by the words they are known to have, and how many passages have each word."""
    having = tables.newest(owner_key, asked, NEWEST)
    promise: dict[int, float] = {}
    for numbers in having:
        for number in numbers:
            promise[number] = promise.get(number, 0.0) + 1 / len(numbers)
    best = sorted(promise, key=lambda number: (promise[number], number), reverse=True)[:MOST_MATCHES]
    return list(tables.rows(owner_key, best)), [len(numbers) for numbers in having]


def _best(asked: Sequence[bytes], rows: Sequence[Row], found: Sequence[int] | None = None) -> list[Match]:
    ranked = zip(scores([row.words for row in rows], asked, found=found), rows, strict=True)
    best = sorted(((score, row) for score, row in ranked if score > 0), key=lambda pair: (-pair[0], -pair[1].number))
    return [Match(row.recording_id, row.transcript_sha256, row.place, score) for score, row in best[:MOST_MATCHES]]
