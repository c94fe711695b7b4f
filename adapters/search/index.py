"""The search index over transcripts in one SQLite file: what it holds and the log position it reflects change together.

Like the status view it can always be rebuilt from the log; therefore a commit does not wait until it is on disk, and a
file with another schema version is filled from the log again.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from adapters.database.log_identity import is_of_log
from adapters.rebuilding import PositionMoved, one_rebuild
from adapters.search.digests import KEY_BYTES, Digests, Owner
from adapters.search.ranking import scores
from adapters.search.tables import Row, Tables
from adapters.search.words import asked_words, indexed_words
from adapters.sqlite_file import connect, give_back, writing

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
    """Blocking: for threads. Several processes may write, each saying from which position it continues."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = connect(path, durable=False)
        self._writer.execute("PRAGMA secure_delete=ON")
        self._reader = connect(path, durable=False)
        # Held while a connection is used: a call in a thread runs on when its caller is gone, and closing waits for it.
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._may_have_old_pages = True  # in the write-ahead log, if a process was killed just after erasing
        with self._transaction():
            self._writer.execute(
                "CREATE TABLE IF NOT EXISTS search_state (schema INTEGER NOT NULL, key BLOB NOT NULL, "
                "generation INTEGER NOT NULL, position INTEGER NOT NULL)"
            )
            state = _state_if_any(self._writer)
            if state is None:
                self._begin_anew(generation=1)
            elif state.schema != SCHEMA_VERSION:
                Tables(self._writer, state.generation).drop()
                self._begin_anew(generation=state.generation + 1)

    def _begin_anew(self, *, generation: int) -> None:
        self._writer.execute("DELETE FROM search_state")
        self._writer.execute(
            "INSERT INTO search_state VALUES (?, ?, ?, 0)", (SCHEMA_VERSION, os.urandom(KEY_BYTES), generation)
        )
        tables = Tables(self._writer, generation)
        tables.drop()  # those of a rebuild that was cut off
        tables.create()

    def use_for(self, log_identity: str, head: int) -> None:
        """Start over when the index is of another log, or of a later state of this one, as after a restore."""
        with self._transaction():
            state = _state(self._writer)
            is_of_it = is_of_log(self._writer, log_identity) and state.position <= head
            if state.position and not is_of_it:
                Tables(self._writer, state.generation).drop()
                self._begin_anew(generation=state.generation + 1)

    def give_back(self) -> None:
        """Let the file shrink by what removed passages have left of it."""
        with self._writing:
            give_back(self._writer)

    def position(self) -> int:
        """The position of the last event that the index reflects; 0 for an empty one."""
        with self._reading:
            return _state(self._reader).position

    def apply(self, changes: Changes, *, after: int) -> None:
        """Take in what the events between `after` and the changes' position mean.

        Raises: PositionMoved when the index is not at `after`; then nothing is written.
        """
        with self._transaction():
            state = _state(self._writer)
            if state.position != after:
                raise PositionMoved
            _write(Tables(self._writer, state.generation), state.key, changes.changes)
            self._writer.execute("UPDATE search_state SET position=?", (changes.position,))

    def erase_some(self) -> bool:
        """Get rid of a part of what removed passages left in the file. Returns whether more is left."""
        with self._transaction():
            tables = Tables(self._writer, _state(self._writer).generation)
            if tables.is_due():
                tables.copy_some()
                self._may_have_old_pages = True
                if tables.is_due():
                    return True
        if self._may_have_old_pages:
            with self._writing:
                (is_busy, *_) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._may_have_old_pages = bool(is_busy)
        return self._may_have_old_pages

    def rebuild(self, read: ReadChanges) -> int:
        """Rebuild the index from the log's first event; searches see the old one until the new one is complete.

        Returns: the position that it then reflects. Raises: RebuildRunning.
        """
        with one_rebuild(self._path):
            return self._rebuild(read)

    def _rebuild(self, read: ReadChanges) -> int:
        with self._transaction():
            state = _state(self._writer)
            fresh = Tables(self._writer, state.generation + 1)
            fresh.drop()  # those of a rebuild that was cut off
            fresh.create()
        position = 0
        while found := read(position):
            with self._transaction():
                _write(fresh, state.key, found.changes)
            position = found.position
        with self._transaction():  # what was recorded meanwhile, while every other writer of the index waits
            while found := read(position):
                _write(fresh, state.key, found.changes)
                position = found.position
            self._writer.execute("UPDATE search_state SET generation=generation+1, position=?", (position,))
            Tables(self._writer, state.generation).drop()
            self._may_have_old_pages = True
        return position

    def search(self, owner: Owner, query: str, *, recording_ids: Sequence[UUID] | None = None) -> list[Match]:
        """The passages of the owner's recordings, or of these, that match best; among equals the newest come first.

        None for a query without words.
        """
        words = asked_words(query)[:MOST_WORDS]
        if not words:
            return []
        with self._reading, _one_state(self._reader) as state:
            tables, owner_key = Tables(self._reader, state.generation), owner.key(state.key)
            asked = Digests(owner_key).of(words)
            if recording_ids is None:
                rows, found = _candidates(tables, owner_key, asked)
                return _best(asked, rows, found)
            return _best(asked, [row for recording_id in recording_ids for row in tables.rows_of(recording_id)])

    def close(self) -> None:
        """Wait for current reads and writes, then close the file."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._writing, writing(self._writer):
            yield


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
    having = [tables.newest(owner_key, digest, NEWEST) for digest in asked]
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


@dataclass(frozen=True, slots=True)
class _State:
    schema: int
    key: bytes
    generation: int
    position: int


def _state_if_any(connection: sqlite3.Connection) -> _State | None:
    row = connection.execute("SELECT schema, key, generation, position FROM search_state").fetchone()
    return None if row is None else _State(*row)


def _state(connection: sqlite3.Connection) -> _State:
    state = _state_if_any(connection)
    if state is None:
        raise sqlite3.DatabaseError("the search index has lost its state")
    return state


@contextmanager
def _one_state(connection: sqlite3.Connection) -> Iterator[_State]:
    """Everything read in this block is of the same moment, also when a rebuild ends meanwhile."""
    connection.execute("BEGIN")
    try:
        yield _state(connection)
    finally:
        connection.execute("COMMIT")
