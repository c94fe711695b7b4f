"""A store's SQLite file, mode 0600: one connection writes, and another reads without waiting for it."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from adapters.database.port import Copy, Tables
from adapters.rebuilding import one_rebuild
from adapters.sqlite_file import DatabaseUnavailable, connect, errors_named, give_back, named, prepare_schema, writing


class SqliteDatabase:
    """A `Database`."""

    answers_at_once = True

    def __init__(self, path: Path, *, durable: bool, erases: bool = False) -> None:
        """Raises: sqlite3.Error; OSError."""
        self._path = path
        self._name = f"The file {path.name}"
        self._writer = connect(path, durable=durable)
        if erases:
            self._writer.execute("PRAGMA secure_delete=ON")
            self._writer.execute("PRAGMA temp_store=MEMORY")  # no copy of the file outside its directory
        self._reader = connect(path, durable=durable)
        # Held while a connection is used: a call in a thread runs on when its caller is gone, and closing waits for it.
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._to_read = _Reading(self._reader, self._reading, self._name)

    def prepare(self, versions: Sequence[Sequence[str]], *, copy: Copy | None = None) -> None:
        del copy  # a file is where it was before
        with self._writing:
            prepare_schema(self._writer, self._path, versions)

    def take_over(self, copy: Copy) -> None:
        """A file is where it was before."""

    def reading(self) -> "_Reading":
        return self._to_read

    @contextmanager
    def writing(self, *, patient: bool = False, lasting: bool = True) -> Iterator[Tables]:  # noqa: ARG002
        """Nothing here gives up; what lasts is said when the file is opened."""
        with self._writing, errors_named(self._name), writing(self._writer):
            yield self._writer

    @contextmanager
    def at_one_moment(self, guard: str) -> Iterator[Tables]:  # noqa: ARG002 - a reader sees also what is dropped
        with self._to_read as reader:
            reader.execute("BEGIN")
            try:
                yield reader
            finally:
                reader.execute("COMMIT")

    def one_rebuild(self) -> AbstractContextManager[None]:
        return one_rebuild(self._path)

    def scrub(self) -> None:
        """SQLite's `secure_delete` zeroes what is deleted, but not the copies that moving cells between pages has left
        in them. So the file is written anew (VACUUM), and the write-ahead log is emptied.
        """
        with self._writing, errors_named(self._name):
            self._writer.execute("VACUUM")
            (is_busy, *_) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise DatabaseUnavailable(f"{self._name} is being read by another process, and cannot be erased from.")

    def empty_log(self) -> bool:
        with self._writing, errors_named(self._name):
            (is_busy, *_) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not is_busy

    def give_back(self) -> None:
        with self._writing, errors_named(self._name):
            give_back(self._writer)

    def close(self) -> None:
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()


class _Reading:
    """The blocks of `reading`, one at a time. No generator: a key is looked up for every request."""

    def __init__(self, reader: sqlite3.Connection, lock: threading.Lock, name: str) -> None:
        self._reader = reader
        self._lock = lock
        self._name = name

    def __enter__(self) -> Tables:
        self._lock.acquire()
        return self._reader

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._lock.release()
        if isinstance(error, sqlite3.Error):
            raise named(error, self._name) from error
