"""Moves what a store has in a file into PostgreSQL, once: all of it, or nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

from adapters.database.port import Tables

ROWS_AT_ONCE = 1_000


def copy_rows(path: Path, tables: Tables) -> bool:
    """Copy every row of the file into the tables of the same names; whether it did. In a transaction.

    Nothing is copied if there is a row in any of them: then they have been in use, or the file was copied before.

    Raises: FileNotFoundError if another process has moved it meanwhile; sqlite3.Error; DatabaseFull;
    DatabaseUnavailable.
    """
    with closing(_opened(path)) as file:
        query = "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        names = [name for (name,) in file.execute(query)]
        if any(tables.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() for name in names):  # noqa: S608
            return False
        for name in names:
            _copy(file, name, tables)
        return True


def _opened(path: Path) -> sqlite3.Connection:
    """One that makes no new file."""
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)
    except sqlite3.OperationalError as error:
        if path.exists():
            raise
        raise FileNotFoundError(f"{path} is not there any more") from error


def _copy(file: sqlite3.Connection, name: str, tables: Tables) -> None:
    found = file.execute(f"SELECT * FROM {name}")  # noqa: S608 - names of the store's own tables and columns
    columns = [column[0] for column in found.description]
    marks = ", ".join("?" * len(columns))
    while rows := found.fetchmany(ROWS_AT_ONCE):
        tables.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608
    if "sequence" in columns and _counts(file, name):
        tables.execute(
            f"SELECT setval(pg_get_serial_sequence('{name}', 'sequence'), max(sequence)) FROM {name}"  # noqa: S608
        )


def _counts(file: sqlite3.Connection, name: str) -> bool:
    """Whether the rows are numbered as they come, so that the next number must follow the last."""
    has_any = file.execute("SELECT 1 FROM sqlite_master WHERE name='sqlite_sequence'").fetchone()
    return bool(has_any and file.execute("SELECT 1 FROM sqlite_sequence WHERE name=?", (name,)).fetchone())
