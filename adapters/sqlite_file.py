"""Opens SQLite files the way this project uses them: WAL, private to the owner, transactions begun by hand."""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

LOCK_TIMEOUT_SECONDS = 10

LOG_BYTES = 8 * 1024 * 1024
"""A write-ahead log that grew larger is cut back to this once its content is in the file."""

_FEWEST_FREE_PAGES = 64
_PAGES_AT_ONCE = 1_000
_INCREMENTAL = 2


class DatabaseUnavailable(Exception):
    """The file cannot be read or written at the moment. What was committed stays."""


class DatabaseFull(DatabaseUnavailable):
    """There is no room for the file to grow."""


class DatabaseTooNew(Exception):
    def __init__(self, path: Path, found_version: int, known_version: int) -> None:
        super().__init__(f"{path} has schema version {found_version}; this program knows {known_version}.")


def connect(path: Path, *, durable: bool) -> sqlite3.Connection:
    """A connection for any one thread at a time. Not `durable`: a power cut may take the last commits."""
    make_private_file(path)
    connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _write_ahead(connection)
        connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        connection.execute(f"PRAGMA journal_size_limit={LOG_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Only a new file has to be changed. SQLite does not wait here for another process that is writing to it."""
    deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # without effect on a file that has tables
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def make_private_file(path: Path) -> None:
    """Make an empty database file that only its owner can read, or close an existing one to others."""
    # SQLite gives its -wal and -shm files the mode of the database, so this one is made first. One that exists is not
    # opened: closing it would drop the POSIX locks of every other connection in this process.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that holds the write lock from its start, so that what it reads stays true until it commits."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def give_back(connection: sqlite3.Connection) -> None:
    """Return to the disk what the file no longer uses, in steps that let others write in between.

    A file that was made before files could do this is copied, once most of it is unused. Raises: sqlite3.Error.
    """
    free, pages, kind = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count", "auto_vacuum")
    )
    if free < _FEWEST_FREE_PAGES:
        return
    if kind == _INCREMENTAL:
        for _ in range(0, free, _PAGES_AT_ONCE):
            # As a script, which is run to its end: `execute` stops after the first page, since this gives no rows.
            connection.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")
    elif free > pages // 2:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@contextmanager
def errors_named(of_what: str) -> Iterator[None]:
    """Names SQLite's errors. `of_what`: the database, for the sentence. Raises: DatabaseFull; DatabaseUnavailable."""
    try:
        yield
    except sqlite3.Error as error:
        raise named(error, of_what) from error


def named(error: sqlite3.Error, of_what: str) -> DatabaseUnavailable:
    """The error, as it is raised to others. `of_what`: the database, for the sentence."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return DatabaseFull(f"{of_what} has no room to grow.")
    return DatabaseUnavailable(f"{of_what} cannot be used: {error}.")


def row_count(path: Path, query: str, value: str) -> int:
    """What a query counts in a file that is there already, without writing to it; 0 if there is no file.

    Raises: sqlite3.Error.
    """
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=LOCK_TIMEOUT_SECONDS)) as database:
        (count,) = database.execute(query, (value,)).fetchone()
    return int(count)


def prepare_schema(connection: sqlite3.Connection, path: Path, versions: Sequence[Sequence[str]]) -> None:
    """Create the tables of a new file, or bring an older one up to date. Raises: DatabaseTooNew.

    `versions`: the statements that lead to each version of the schema, from the one before.
    """
    version = len(versions)
    with writing(connection):
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > version:
            raise DatabaseTooNew(path, found, version)
        for statements in versions[found:]:
            for statement in statements:
                connection.execute(statement)
        if found < version:
            connection.execute(f"PRAGMA user_version={version}")
