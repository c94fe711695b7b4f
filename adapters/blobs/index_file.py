"""The SQLite file of a store's index: durable, readable from any process. The store says which tables it has."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.blobs.port import StorageFull, StorageUnavailable
from adapters.sqlite_file import connect, give_back, writing

_KEYS_AT_ONCE = 500
_PAST_ANY_KEY = "\x7f"


class IndexFile:
    """Blocking; can be used from any thread. Raises: StorageFull, StorageUnavailable.

    `schema`: statements that create what does not exist yet, with a semicolon between two.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        self._schema = schema
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._reading, _errors_named():
            if self._reader is None:
                self._reader = self._connect()
            yield self._reader

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, durable at the end of the block."""
        with self._own_writer() as writer, writing(writer):
            yield writer

    def give_back(self) -> None:
        """Let the file shrink by what dropped keys have left of it."""
        with self._own_writer() as writer:
            give_back(writer)

    def close(self) -> None:
        with self._reading, self._writing:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._reader = self._writer = None

    @contextmanager
    def _own_writer(self) -> Iterator[sqlite3.Connection]:
        with self._writing, _errors_named():
            if self._writer is None:
                self._writer = self._connect()
            yield self._writer

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self._path, durable=True)
        try:
            with writing(connection):  # two processes may open a new store at the same time
                for statement in self._schema.split(";"):
                    connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection


def beginning_with(beginning: str, file: IndexFile) -> Iterator[str]:
    """The keys in the table `blobs` that begin so, in order."""
    last = beginning
    comparison = ">="
    while True:
        query = f"SELECT key FROM blobs WHERE key {comparison} ? AND key < ? ORDER BY key LIMIT {_KEYS_AT_ONCE}"  # noqa: S608
        with file.reading() as reader:
            found = reader.execute(query, (last, beginning + _PAST_ANY_KEY)).fetchall()
        yield from (key for (key,) in found)
        if len(found) < _KEYS_AT_ONCE:
            return
        last, comparison = found[-1][0], ">"


@contextmanager
def _errors_named() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise StorageFull from error
        raise StorageUnavailable(f"its index cannot be used ({error})") from error
