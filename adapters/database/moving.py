"""Moves what a store has in a file into PostgreSQL, once: all of it, or nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

from adapters.database.port import Copy, Tables

ROWS_AT_ONCE = 1_000
HAS_ROWS = "PostgreSQL has rows already"


def copied(path: Path, tables: Tables, copy: Copy) -> str | None:
    """What `copy` returns for this file. In a transaction.

    Raises: FileNotFoundError if another process has moved it meanwhile; sqlite3.Error; DatabaseFull;
    DatabaseUnavailable.
    """
    with closing(_opened(path)) as file:
        return copy(file, tables)


def copy_rows(file: sqlite3.Connection, tables: Tables) -> str | None:
    """A `Copy` of every row, into the tables of the same names.

    Nothing is copied if there is a row in any of them: then they have been in use, or the file was copied before.
    """
    names = table_names(file)
    if any(tables.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() for name in names):  # noqa: S608
        return HAS_ROWS
    for name in names:
        copy_table(file, name, tables)
    return None


def table_names(file: sqlite3.Connection) -> list[str]:
    """Those of the store's own tables."""
    query = "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    return [name for (name,) in file.execute(query)]


def remove(path: Path) -> None:
    """Remove a file of which nothing is needed any more, if it is there. Raises: OSError."""
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _opened(path: Path) -> sqlite3.Connection:
    """One that makes no new file."""
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)
    except sqlite3.OperationalError as error:
        if path.exists():
            raise
        raise FileNotFoundError(f"{path} is not there any more") from error


def copy_table(file: sqlite3.Connection, name: str, tables: Tables) -> None:
    """Every row of it, into the table of the same name."""
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
