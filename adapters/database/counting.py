"""Counts what another process has stored, also one that runs."""

from pathlib import Path

from adapters import sqlite_file
from adapters.database.port import Place


def row_count(place: Place, query: str, value: str) -> int:
    """What a query counts, without writing; 0 if there is no file, or no table in PostgreSQL.

    Raises: DatabaseUnavailable; sqlite3.Error.
    """
    if isinstance(place, Path):
        return sqlite_file.row_count(place, query, value)
    from adapters.database import postgres  # noqa: PLC0415 - the embedded profile does without it

    return postgres.row_count(place, query, value)
