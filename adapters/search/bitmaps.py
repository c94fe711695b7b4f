"""Passages by their words in PostgreSQL: a row says which of 32 neighbouring passages have a word.

Plain tables and one B-tree each, which is read from its newest end. A GIN index over the passages' words would have to
look at all passages that have a word to find the newest.

The planner's statistics, which are kept in another table, never get to know a digest.
"""
# ruff: noqa: S608 - every name in a statement is made by the caller

from collections.abc import Sequence

from adapters.database.port import Tables
from adapters.search.digests import DIGEST_BYTES
from adapters.search.engine import STATE, Posting

BLOCK = 32
"""So many passages are in a block: a transcript's are neighbours, and people say the same words over and over."""


class Bitmaps:
    """An `Engine`. Of what is taken out, copies stay in the server's files until the table is dropped."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def names(self) -> list[str]:
        found = self._tables.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        return [name for (name,) in found]

    def wait_for_searches(self, *, seconds: int) -> None:
        self._tables.execute(f"SET LOCAL lock_timeout = '{seconds}s'")
        self._tables.execute(f"LOCK TABLE {STATE} IN ACCESS EXCLUSIVE MODE")

    def create(self, words: str, passages: str) -> None:
        self._tables.execute(
            f"CREATE TABLE {words} (digest INTEGER, block INTEGER, present INTEGER NOT NULL, "
            "PRIMARY KEY (digest, block))"
        )
        for table, column in ((words, "digest"), (passages, "words")):
            self._tables.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0")

    def add(self, words: str, postings: Sequence[Posting]) -> None:
        self._tables.execute(
            f"INSERT INTO {words} AS there SELECT * FROM unnest(?::bigint[], ?::bigint[], ?::bigint[]) "
            "ON CONFLICT (digest, block) DO UPDATE SET present = there.present | excluded.present",
            _rows(postings),
        )

    def take_out(self, words: str, postings: Sequence[Posting]) -> None:
        digests, blocks, present = _rows(postings)
        self._tables.execute(
            f"UPDATE {words} AS there SET present = there.present & ~gone.present "
            "FROM unnest(?::bigint[], ?::bigint[], ?::bigint[]) AS gone(digest, block, present) "
            "WHERE there.digest = gone.digest AND there.block = gone.block",
            (digests, blocks, present),
        )
        self._tables.execute(
            f"DELETE FROM {words} AS there USING unnest(?::bigint[], ?::bigint[]) AS gone(digest, block) "
            "WHERE there.digest = gone.digest AND there.block = gone.block AND there.present = 0",
            (digests, blocks),
        )

    def newest(self, words: str, digests: Sequence[bytes], limit: int) -> list[list[int]]:
        # The planner does not know that a word is common: it would rather read and sort all that have it.
        self._tables.execute("SET LOCAL enable_sort = off")
        rows = self._tables.execute(
            "SELECT asked.place, found.block, found.present "
            "FROM unnest(?::bigint[]) WITH ORDINALITY AS asked(digest, place) CROSS JOIN LATERAL ("
            f"SELECT block, present FROM {words} WHERE digest = asked.digest ORDER BY block DESC LIMIT ?"
            ") AS found",
            ([_number(digest) for digest in digests], limit),
        )
        numbers: list[list[int]] = [[] for _ in digests]
        for place, block, present in rows:
            numbers[place - 1] += _numbers(block, present)
        return [sorted(found, reverse=True)[:limit] for found in numbers]


def _rows(postings: Sequence[Posting]) -> tuple[list[int], list[int], list[int]]:
    """Digests, blocks, and which of a block's passages have the word: the columns of rows, each with another key."""
    present: dict[tuple[int, int], int] = {}
    for posting in postings:
        block, bit = divmod(posting.number, BLOCK)
        for first in range(0, len(posting.words), DIGEST_BYTES):
            key = _number(posting.words[first : first + DIGEST_BYTES]), block
            present[key] = present.get(key, 0) | 1 << bit
    return [digest for digest, _ in present], [block for _, block in present], list(present.values())


def _number(digest: bytes) -> int:
    """As one of the numbers that PostgreSQL has."""
    return int.from_bytes(digest, signed=True)


def _numbers(block: int, present: int) -> list[int]:
    """The passages that are present."""
    return [block * BLOCK + bit for bit in range(BLOCK) if present >> bit & 1]
