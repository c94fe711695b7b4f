"""The tables of one generation of the search index. A rebuild fills those of the next one and then drops these.

Passages are in shards, by end user. Of what is deleted SQLite leaves copies: FTS5 until all of a table is merged, and
`secure_delete` where moving cells between pages has left them. So a shard from which something was removed is copied,
and then dropped: every page of a dropped table is overwritten.
"""
# ruff: noqa: S608 - every name in a statement is made here

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from adapters.search.digests import terms

SHARDS = 16
COPIED_PASSAGES = 200
"""How many passages are copied per transaction: tens of milliseconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """A passage. `number`: an end user's newer ones have higher numbers. `place`: which of its transcript's passages
    it is.
    """

    number: int
    recording_id: UUID
    transcript_sha256: str
    place: int
    words: bytes


@dataclass(frozen=True, slots=True)
class _Shard:
    """Which tables a shard is in.

    `last`: the highest number that a passage of it ever had. `copied`: the number of the last passage in the copy that
    is to take its place; None while there is no copy.
    """

    shard: int
    version: int
    last: int
    copied: int | None


class Tables:
    """All methods run within the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, generation: int) -> None:
        self._connection = connection
        self._generation = generation
        self._recordings, self._shards = f"recordings_{generation}", f"shards_{generation}"

    def create(self) -> None:
        self._execute(
            f"CREATE TABLE {self._recordings} (recording_id BLOB PRIMARY KEY, transcript_sha256 BLOB NOT NULL, "
            "shard INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID"
        )
        self._execute(
            f"CREATE TABLE {self._shards} (shard INTEGER PRIMARY KEY, version INTEGER NOT NULL, last INTEGER NOT NULL, "
            "copied INTEGER, removed INTEGER NOT NULL, removed_from_copy INTEGER NOT NULL)"
        )
        for shard in range(SHARDS):
            self._execute(f"INSERT INTO {self._shards} VALUES (?, 1, 0, NULL, 0, 0)", shard)
            self._create_shard(shard, 1)

    def drop(self) -> None:
        """Also those that an earlier release made."""
        names = [name for (name,) in self._execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()]
        for name in names:
            if re.fullmatch(rf"[a-z]+_{self._generation}(_\d+)*", name):
                self._execute(f"DROP TABLE {name}")

    def put(self, recording_id: UUID, transcript_sha256: str, owner_key: bytes, passages: Sequence[bytes]) -> None:
        """Add a recording that is not there. `passages`: the digests of each one's words."""
        if not passages:
            return
        shard = self._shard_of(owner_key)
        first, last = shard.last + 1, shard.last + len(passages)
        for place, words in enumerate(passages):
            self._add(shard.shard, shard.version, (first + place, recording_id.bytes, place, words))
        self._execute(f"UPDATE {self._shards} SET last=? WHERE shard=?", last, shard.shard)
        self._execute(
            f"INSERT INTO {self._recordings} VALUES (?, ?, ?, ?, ?)",
            recording_id.bytes,
            bytes.fromhex(transcript_sha256),
            shard.shard,
            first,
            last,
        )

    def remove(self, recording_id: UUID) -> None:
        """Remove a recording's passages, if it has any. What is left of them in the file is due to be got rid of."""
        found = self._execute(
            f"SELECT shard, first, last FROM {self._recordings} WHERE recording_id=?", recording_id.bytes
        ).fetchone()
        if found is None:
            return
        number, first, last = found
        shard = self._shard(number)
        self._take_out(shard.shard, shard.version, first, last)
        self._execute(f"DELETE FROM {self._recordings} WHERE recording_id=?", recording_id.bytes)
        self._execute(f"UPDATE {self._shards} SET removed=1 WHERE shard=?", shard.shard)
        if shard.copied is not None and first <= shard.copied:
            self._take_out(shard.shard, shard.version + 1, first, last)
            self._execute(f"UPDATE {self._shards} SET removed_from_copy=1 WHERE shard=?", shard.shard)

    def is_due(self) -> bool:
        """Whether something is left in the file of passages that were removed."""
        return self._execute(f"SELECT 1 FROM {self._shards} WHERE removed").fetchone() is not None

    def copy_some(self) -> None:
        """Copy a part of a shard that is due. What is removed from the copy meanwhile makes it due in its turn."""
        due = self._execute(
            f"SELECT shard, version, last, copied FROM {self._shards} WHERE removed "
            "ORDER BY copied IS NULL, shard LIMIT 1"
        ).fetchone()
        if due is None:
            return
        shard = _Shard(*due)
        if shard.copied is None:
            self._create_shard(shard.shard, shard.version + 1)
        passages, _ = self._tables(shard.shard, shard.version)
        rows = self._execute(
            f"SELECT number, recording_id, place, words FROM {passages} WHERE number>? ORDER BY number LIMIT ?",
            shard.copied or 0,
            COPIED_PASSAGES,
        ).fetchall()
        for row in rows:
            self._add(shard.shard, shard.version + 1, row)
        if len(rows) == COPIED_PASSAGES:
            self._execute(f"UPDATE {self._shards} SET copied=? WHERE shard=?", rows[-1][0], shard.shard)
        else:
            self._take_the_copy(shard)

    def newest(self, owner_key: bytes, digest: bytes, limit: int) -> list[int]:
        """The numbers of the newest passages with this word. Costs the same however many others have it."""
        shard = self._shard_of(owner_key)
        _, words = self._tables(shard.shard, shard.version)
        rows = self._execute(
            f"SELECT rowid FROM {words} WHERE {words} MATCH ? ORDER BY rowid DESC LIMIT ?", f'"{digest.hex()}"', limit
        )
        return [row[0] for row in rows]

    def rows(self, owner_key: bytes, numbers: Sequence[int]) -> Iterator[Row]:
        """The passages with these numbers in the owner's shard."""
        shard = self._shard_of(owner_key)
        for number in numbers:
            yield from self._rows_between(shard, number, number)

    def rows_of(self, recording_id: UUID) -> Iterator[Row]:
        found = self._execute(
            f"SELECT shard, first, last FROM {self._recordings} WHERE recording_id=?", recording_id.bytes
        ).fetchone()
        if found is not None:
            number, first, last = found
            yield from self._rows_between(self._shard(number), first, last)

    def _rows_between(self, shard: _Shard, first: int, last: int) -> Iterator[Row]:
        passages, _ = self._tables(shard.shard, shard.version)
        rows = self._execute(
            f"SELECT number, recording_id, transcript_sha256, place, words FROM {passages} "
            f"JOIN {self._recordings} USING (recording_id) WHERE number BETWEEN ? AND ?",
            first,
            last,
        )
        for number, recording_id, sha256, place, words in rows:
            yield Row(number, UUID(bytes=recording_id), sha256.hex(), place, words)

    def _shard_of(self, owner_key: bytes) -> _Shard:
        return self._shard(owner_key[0] % SHARDS)

    def _shard(self, number: int) -> _Shard:
        row = self._execute(f"SELECT shard, version, last, copied FROM {self._shards} WHERE shard=?", number)
        return _Shard(*row.fetchone())

    def _tables(self, shard: int, version: int) -> tuple[str, str]:
        """The names of a shard's passages and of the FTS5 table of their words."""
        return f"passages_{self._generation}_{shard}_{version}", f"words_{self._generation}_{shard}_{version}"

    def _create_shard(self, shard: int, version: int) -> None:
        passages, words = self._tables(shard, version)
        self._execute(
            f"CREATE TABLE {passages} (number INTEGER PRIMARY KEY, recording_id BLOB NOT NULL, "
            "place INTEGER NOT NULL, words BLOB NOT NULL)"
        )
        self._execute(
            f"CREATE VIRTUAL TABLE {words} USING fts5 (digests, content='', columnsize=0, detail=none, "
            "tokenize='ascii')"
        )

    def _take_the_copy(self, shard: _Shard) -> None:
        for name in self._tables(shard.shard, shard.version):
            self._execute(f"DROP TABLE {name}")
        self._execute(
            f"UPDATE {self._shards} SET version=version+1, copied=NULL, removed=removed_from_copy, removed_from_copy=0 "
            "WHERE shard=?",
            shard.shard,
        )

    def _add(self, shard: int, version: int, row: tuple[int, bytes, int, bytes]) -> None:
        passages, words = self._tables(shard, version)
        number, _, _, digests = row
        self._execute(f"INSERT INTO {words} (rowid, digests) VALUES (?, ?)", number, terms(digests))
        self._execute(f"INSERT INTO {passages} VALUES (?, ?, ?, ?)", *row)

    def _take_out(self, shard: int, version: int, first: int, last: int) -> None:
        passages, words = self._tables(shard, version)
        rows = self._execute(f"SELECT number, words FROM {passages} WHERE number BETWEEN ? AND ?", first, last)
        for number, digests in rows.fetchall():
            self._execute(
                f"INSERT INTO {words} ({words}, rowid, digests) VALUES ('delete', ?, ?)", number, terms(digests)
            )
        self._execute(f"DELETE FROM {passages} WHERE number BETWEEN ? AND ?", first, last)

    def _execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)
