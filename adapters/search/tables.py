"""The tables of one generation of the search index. A rebuild fills those of the next one and then drops these.

Passages are in shards, by end user. Of what is deleted, SQLite leaves copies: FTS5 until all of a table is merged, and
`secure_delete` where moving cells between pages has left them. So does PostgreSQL, also in pages that it has vacuumed.
So a shard from which something was removed is copied, and then dropped: SQLite overwrites every page of a dropped
table, and PostgreSQL empties its files.
"""
# ruff: noqa: S608 - every name in a statement is made here

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.database import port
from adapters.search.engine import Engine, Posting

SHARDS = 16
COPIED_PASSAGES = 200
"""How many passages are copied per transaction: tens of milliseconds."""

ERASING_SECONDS, REBUILD_SECONDS = 1, 10
"""How long to wait for searches to end, and let others wait: when a copy takes a shard's place, and for all else."""


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

    def __init__(self, tables: port.Tables, engine: Engine, generation: int) -> None:
        self._tables = tables
        self._engine = engine
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
        """Also those that an earlier release made. Raises: HeldUp."""
        names = [name for name in self._engine.names() if re.fullmatch(rf"[a-z]+_{self._generation}(_\d+)*", name)]
        if names:
            self._engine.wait_for_searches(seconds=REBUILD_SECONDS)
        for name in names:
            self._execute(f"DROP TABLE {name}")

    def put(self, recording_id: UUID, transcript_sha256: str, owner_key: bytes, passages: Sequence[bytes]) -> None:
        """Add a recording that is not there. `passages`: the digests of each one's words."""
        if not passages:
            return
        shard = self._shard_of(owner_key)
        first, last = shard.last + 1, shard.last + len(passages)
        rows = [(first + place, recording_id.bytes, place, words) for place, words in enumerate(passages)]
        self._add(shard.shard, shard.version, rows)
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
        """Remove a recording's passages, if it has any. What is left of them is due to be got rid of."""
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
        """Whether something is left of passages that were removed."""
        return self._execute(f"SELECT 1 FROM {self._shards} WHERE removed=1").fetchone() is not None

    def copy_some(self) -> None:
        """Copy a part of a shard that is due, or put the whole copy in its place. What is removed from the copy
        meanwhile makes it due in its turn.

        Raises: HeldUp. Then nothing was copied in vain: of what is rolled back, PostgreSQL leaves copies, too.
        """
        due = self._execute(
            f"SELECT shard, version, last, copied FROM {self._shards} WHERE removed=1 "
            "ORDER BY copied IS NULL, shard LIMIT 1"
        ).fetchone()
        if due is None:
            return
        shard = _Shard(*due)
        if shard.copied is None:
            self._create_shard(shard.shard, shard.version + 1)
        passages, _ = self._names(shard.shard, shard.version)
        rows = self._execute(
            f"SELECT number, recording_id, place, words FROM {passages} WHERE number>? ORDER BY number LIMIT ?",
            shard.copied or 0,
            COPIED_PASSAGES,
        ).fetchall()
        if rows:
            self._add(shard.shard, shard.version + 1, rows)
            self._execute(f"UPDATE {self._shards} SET copied=? WHERE shard=?", rows[-1][0], shard.shard)
        else:
            self._take_the_copy(shard)

    def newest(self, owner_key: bytes, digests: Sequence[bytes], limit: int) -> list[list[int]]:
        """For each digest, the numbers of the newest passages with that word. Costs the same however many others have
        it.
        """
        shard = self._shard_of(owner_key)
        _, words = self._names(shard.shard, shard.version)
        return self._engine.newest(words, digests, limit)

    def rows(self, owner_key: bytes, numbers: Sequence[int]) -> Iterator[Row]:
        """The passages with these numbers in the owner's shard."""
        if numbers:
            marks = ", ".join("?" * len(numbers))
            yield from self._rows_where(self._shard_of(owner_key), f"number IN ({marks})", *numbers)

    def rows_of(self, recording_id: UUID) -> Iterator[Row]:
        found = self._execute(
            f"SELECT shard, first, last FROM {self._recordings} WHERE recording_id=?", recording_id.bytes
        ).fetchone()
        if found is not None:
            number, first, last = found
            yield from self._rows_where(self._shard(number), "number BETWEEN ? AND ?", first, last)

    def _rows_where(self, shard: _Shard, condition: str, *values: int) -> Iterator[Row]:
        passages, _ = self._names(shard.shard, shard.version)
        rows = self._execute(
            f"SELECT number, recording_id, transcript_sha256, place, words FROM {passages} "
            f"JOIN {self._recordings} USING (recording_id) WHERE {condition}",
            *values,
        )
        for number, recording_id, sha256, place, words in sorted(rows):
            yield Row(number, UUID(bytes=recording_id), sha256.hex(), place, words)

    def _shard_of(self, owner_key: bytes) -> _Shard:
        return self._shard(owner_key[0] % SHARDS)

    def _shard(self, number: int) -> _Shard:
        row = self._execute(f"SELECT shard, version, last, copied FROM {self._shards} WHERE shard=?", number)
        return _Shard(*row.fetchone())

    def _names(self, shard: int, version: int) -> tuple[str, str]:
        """Those of the tables of a shard's passages and of their words."""
        return f"passages_{self._generation}_{shard}_{version}", f"words_{self._generation}_{shard}_{version}"

    def _create_shard(self, shard: int, version: int) -> None:
        passages, words = self._names(shard, version)
        self._execute(
            f"CREATE TABLE {passages} (number INTEGER PRIMARY KEY, recording_id BLOB NOT NULL, "
            "place INTEGER NOT NULL, words BLOB NOT NULL)"
        )
        self._engine.create(words, passages)

    def _take_the_copy(self, shard: _Shard) -> None:
        self._engine.wait_for_searches(seconds=ERASING_SECONDS)
        for name in self._names(shard.shard, shard.version):
            self._execute(f"DROP TABLE {name}")
        self._execute(
            f"UPDATE {self._shards} SET version=version+1, copied=NULL, removed=removed_from_copy, removed_from_copy=0 "
            "WHERE shard=?",
            shard.shard,
        )

    def _add(self, shard: int, version: int, rows: Sequence[tuple[int, bytes, int, bytes]]) -> None:
        passages, words = self._names(shard, version)
        self._engine.add(words, [Posting(number, digests) for number, _, _, digests in rows])
        self._tables.executemany(f"INSERT INTO {passages} VALUES (?, ?, ?, ?)", rows)

    def _take_out(self, shard: int, version: int, first: int, last: int) -> None:
        passages, words = self._names(shard, version)
        rows = self._execute(f"SELECT number, words FROM {passages} WHERE number BETWEEN ? AND ?", first, last)
        self._engine.take_out(words, [Posting(number, digests) for number, digests in rows.fetchall()])
        self._execute(f"DELETE FROM {passages} WHERE number BETWEEN ? AND ?", first, last)

    def _execute(self, statement: str, *values: Any) -> port.Rows:
        return self._tables.execute(statement, values)
