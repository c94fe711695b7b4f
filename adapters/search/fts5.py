"""Passages by their words in SQLite: an FTS5 table, which keeps no content and no places of words."""
# ruff: noqa: S608 - every name in a statement is made by the caller

from collections.abc import Sequence

from adapters.database.port import Tables
from adapters.search.digests import DIGEST_BYTES
from adapters.search.engine import Posting


class Fts5:
    """An `Engine`. Of what is taken out, copies stay in the file until the table is dropped."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def names(self) -> list[str]:
        return [name for (name,) in self._tables.execute("SELECT name FROM sqlite_master WHERE type='table'")]

    def wait_for_searches(self, *, seconds: int) -> None:
        """They go on with what was committed when they began."""

    def create(self, words: str, passages: str) -> None:  # noqa: ARG002 - SQLite keeps no statistics
        self._tables.execute(
            f"CREATE VIRTUAL TABLE {words} USING fts5 (digests, content='', columnsize=0, detail=none, "
            "tokenize='ascii')"
        )

    def add(self, words: str, postings: Sequence[Posting]) -> None:
        rows = [(one.number, _terms(one.words)) for one in postings]
        self._tables.executemany(f"INSERT INTO {words} (rowid, digests) VALUES (?, ?)", rows)

    def take_out(self, words: str, postings: Sequence[Posting]) -> None:
        rows = [(one.number, _terms(one.words)) for one in postings]
        self._tables.executemany(f"INSERT INTO {words} ({words}, rowid, digests) VALUES ('delete', ?, ?)", rows)

    def newest(self, words: str, digests: Sequence[bytes], limit: int) -> list[list[int]]:
        query = f"SELECT rowid FROM {words} WHERE {words} MATCH ? ORDER BY rowid DESC LIMIT ?"
        asked = [(f'"{digest.hex()}"', limit) for digest in digests]
        return [[number for (number,) in self._tables.execute(query, values)] for values in asked]


def _terms(joined_digests: bytes) -> str:
    """Digests one after another, as the text that FTS5 indexes."""
    return joined_digests.hex(" ", DIGEST_BYTES)
