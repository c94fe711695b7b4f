"""The tables of one generation of the search index. A rebuild fills those of the next one and then drops these.

The words are in several FTS5 tables, by end user: SQLite gets rid of deleted words only by merging a whole table.
"""
# ruff: noqa: S608 - every name in a statement is made here

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from adapters.search.digests import terms

SHARDS = 16
MERGED_PAGES = 200
"""How much of a table is merged per transaction: tens of milliseconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """A passage. `number`: newer ones have higher numbers. `place`: which of its transcript's passages it is."""

    number: int
    recording_id: UUID
    transcript_sha256: str
    place: int
    words: bytes


class Tables:
    """All methods run within the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, generation: int) -> None:
        self._connection = connection
        self._recordings, self._passages = f"recordings_{generation}", f"passages_{generation}"
        self._unmerged = f"unmerged_{generation}"
        self._words = [f"words_{generation}_{shard}" for shard in range(SHARDS)]

    def create(self) -> None:
        self._execute(
            f"CREATE TABLE {self._recordings} (recording_id BLOB PRIMARY KEY, transcript_sha256 BLOB NOT NULL, "
            "shard INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID"
        )
        self._execute(
            f"CREATE TABLE {self._passages} (number INTEGER PRIMARY KEY, recording_id BLOB NOT NULL, "
            "place INTEGER NOT NULL, words BLOB NOT NULL)"
        )
        self._execute(
            f"CREATE TABLE {self._unmerged} (shard INTEGER PRIMARY KEY, removals INTEGER NOT NULL, merging INTEGER)"
        )
        for words in self._words:
            self._execute(
                f"CREATE VIRTUAL TABLE {words} USING fts5 (digests, content='', columnsize=0, detail=none, "
                "tokenize='ascii')"
            )

    def drop(self) -> None:
        for table in (self._recordings, self._passages, self._unmerged, *self._words):
            self._execute(f"DROP TABLE IF EXISTS {table}")

    def put(self, recording_id: UUID, transcript_sha256: str, owner_key: bytes, passages: Sequence[bytes]) -> None:
        """Add a recording that is not there. `passages`: the digests of each one's words."""
        if not passages:
            return
        shard = _shard(owner_key)
        (last,) = self._execute(f"SELECT coalesce(max(number), 0) FROM {self._passages}").fetchone()
        for place, words in enumerate(passages):
            number = last + 1 + place
            self._execute(f"INSERT INTO {self._words[shard]} (rowid, digests) VALUES (?, ?)", number, terms(words))
            self._execute(f"INSERT INTO {self._passages} VALUES (?, ?, ?, ?)", number, recording_id.bytes, place, words)
        self._execute(
            f"INSERT INTO {self._recordings} VALUES (?, ?, ?, ?, ?)",
            recording_id.bytes,
            bytes.fromhex(transcript_sha256),
            shard,
            last + 1,
            last + len(passages),
        )

    def remove(self, recording_id: UUID) -> None:
        """Remove a recording's passages, if it has any. What is left of them in the index is due to be merged away."""
        found = self._execute(
            f"SELECT shard, first, last FROM {self._recordings} WHERE recording_id=?", recording_id.bytes
        ).fetchone()
        if found is None:
            return
        shard, *numbers = found
        rows = self._execute(f"SELECT number, words FROM {self._passages} WHERE number BETWEEN ? AND ?", *numbers)
        words = self._words[shard]
        for number, digests in rows.fetchall():
            self._execute(
                f"INSERT INTO {words} ({words}, rowid, digests) VALUES ('delete', ?, ?)", number, terms(digests)
            )
        self._execute(f"DELETE FROM {self._passages} WHERE number BETWEEN ? AND ?", *numbers)
        self._execute(f"DELETE FROM {self._recordings} WHERE recording_id=?", recording_id.bytes)
        self._execute(
            f"INSERT INTO {self._unmerged} VALUES (?, 1, NULL) ON CONFLICT DO UPDATE SET removals=removals+1", shard
        )

    def is_unmerged(self) -> bool:
        """Whether digests of removed words are still in a table."""
        return self._execute(f"SELECT 1 FROM {self._unmerged}").fetchone() is not None

    def merge_some(self) -> None:
        """Merge a part of what is due. What is removed while a merge runs is due for another one."""
        due = self._execute(
            f"SELECT shard, removals, merging FROM {self._unmerged} ORDER BY merging IS NULL, shard LIMIT 1"
        ).fetchone()
        if due is None:
            return
        shard, removals, merging = due
        words, before = self._words[shard], self._connection.total_changes
        # A negative number begins to merge the whole table; a positive one goes on with that (SQLite's FTS5, 6.8).
        pages = -MERGED_PAGES if merging is None else MERGED_PAGES
        self._execute(f"INSERT INTO {words} ({words}, rank) VALUES ('merge', ?)", pages)
        if self._connection.total_changes - before >= _OF_A_MERGE:
            self._execute(f"UPDATE {self._unmerged} SET merging=coalesce(merging, removals) WHERE shard=?", shard)
        elif merging in (None, removals):
            self._execute(f"DELETE FROM {self._unmerged} WHERE shard=?", shard)
        else:
            self._execute(f"UPDATE {self._unmerged} SET merging=NULL WHERE shard=?", shard)

    def newest(self, owner_key: bytes, digest: bytes, limit: int) -> list[int]:
        """The numbers of the newest passages with this word. Costs the same however many others have it."""
        words = self._words[_shard(owner_key)]
        rows = self._execute(
            f"SELECT rowid FROM {words} WHERE {words} MATCH ? ORDER BY rowid DESC LIMIT ?", f'"{digest.hex()}"', limit
        )
        return [row[0] for row in rows]

    def rows(self, numbers: Iterable[int]) -> Iterator[Row]:
        for number in numbers:
            yield from self._rows_between(number, number)

    def rows_of(self, recording_id: UUID) -> Iterator[Row]:
        found = self._execute(
            f"SELECT first, last FROM {self._recordings} WHERE recording_id=?", recording_id.bytes
        ).fetchone()
        if found is not None:
            yield from self._rows_between(*found)

    def _rows_between(self, first: int, last: int) -> Iterator[Row]:
        rows = self._execute(
            f"SELECT number, recording_id, transcript_sha256, place, words FROM {self._passages} "
            f"JOIN {self._recordings} USING (recording_id) WHERE number BETWEEN ? AND ?",
            first,
            last,
        )
        for number, recording_id, sha256, place, words in rows:
            yield Row(number, UUID(bytes=recording_id), sha256.hex(), place, words)

    def _execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)


_OF_A_MERGE = 2
"""Rows that change in a call that merged something; fewer when there was nothing to merge."""


def _shard(owner_key: bytes) -> int:
    return owner_key[0] % SHARDS
