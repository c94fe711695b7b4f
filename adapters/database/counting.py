"""Counts what another process has stored, also one that runs."""

from contextlib import closing
from pathlib import Path

from adapters import sqlite_file
from adapters.database.opening import open_database
from adapters.database.port import Place


def row_count(place: Place, query: str, value: str) -> int:
    """What a query counts, without writing; 0 if there is no file. Raises: DatabaseUnavailable; sqlite3.Error."""
    if isinstance(place, Path):
        return sqlite_file.row_count(place, query, value)
    with closing(open_database(place, durable=True)) as database, database.reading() as tables:
        (count,) = tables.execute(query, (value,)).fetchone()
    return int(count)
