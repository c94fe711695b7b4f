"""Opens SQLite files the way this project uses them: WAL, private to the owner, transactions begun by hand."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK_TIMEOUT_SECONDS = 10


def connect(path: Path, *, durable: bool) -> sqlite3.Connection:
    """A connection for any one thread at a time. Not `durable`: a power cut may take the last commits."""
    make_private_file(path)
    connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _write_ahead(connection)
        connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    except BaseException:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Only a new file has to be changed. SQLite does not wait here for another process that is writing to it."""
    deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
    while True:
        try:
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


def is_of_log(connection: sqlite3.Connection, identity: str) -> bool:
    """Whether the file's content was made from the log with this identity. From now on, it is. In a transaction."""
    connection.execute("CREATE TABLE IF NOT EXISTS made_from (log_identity TEXT NOT NULL)")
    row = connection.execute("SELECT log_identity FROM made_from").fetchone()
    if row is not None and row[0] == identity:
        return True
    connection.execute("DELETE FROM made_from")
    connection.execute("INSERT INTO made_from VALUES (?)", (identity,))
    return False
