"""Copies what else is in the data directory of a service that is stopped: the stores' files, and the keys in files.

Files with tables are moved into PostgreSQL by the first start on the copy, as at any start; see
`adapters.database.moving`. The status view, the list of ordered notes and that of ambient sessions are left to be made
anew from the log, and so is the search index in PostgreSQL.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from adapters.durable_files import FILE_MODE, sync_directory
from adapters.private_files import write_private_file
from adapters.sqlite_file import LOCK_TIMEOUT_SECONDS

MARKER = "copied-from"
"""In the new directory: the identity of the log that is copied there, and the URL of where its blobs go."""

MADE_ANEW = frozenset({"views.sqlite3", "note_orders.sqlite3", "ambient_sessions.sqlite3"})
MADE_ANEW_IN_POSTGRES = MADE_ANEW | {"search.sqlite3"}
_OF_NO_USE = (".unfinished", ".moved", ".rebuild", "-wal", "-shm")


class FilesDiffer(Exception):
    """A file's copy is not what the file is. `str()` is one sentence."""


def files_to_copy(data_dir: Path, *, besides: Path, made_anew: frozenset[str]) -> list[Path]:
    """Those of a data directory, in order. `besides`: the log's file, in that directory."""
    left_out = {"lock", MARKER, besides.name} | made_anew
    return sorted(
        path
        for path in data_dir.iterdir()
        if path.is_file() and path.name not in left_out and not path.name.endswith(_OF_NO_USE)
    )


def copy_file(path: Path, data_dir: Path) -> None:
    """Replaces what an earlier attempt left there. Raises: FilesDiffer; OSError; sqlite3.Error."""
    if path.suffix == ".sqlite3":
        _copy_database(path, data_dir / path.name)
    else:
        write_private_file(data_dir / path.name, path.read_bytes())


def _copy_database(path: Path, copy: Path) -> None:
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    with closing(_opened(path, "ro")) as source, closing(_opened(unfinished, "rw")) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")  # nothing of it is in another file, so it can be renamed
        if content_digest(source) != content_digest(target):
            raise FilesDiffer(f"{path.name} was not copied as it is; look whether the disk is well.")
    descriptor = os.open(unfinished, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    unfinished.replace(copy)
    sync_directory(copy.parent)


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=LOCK_TIMEOUT_SECONDS, isolation_level=None
    )


def content_digest(database: sqlite3.Connection) -> str:
    """Of all rows of all tables, in the order in which they are stored, and of the version of the schema."""
    digest = hashlib.sha256(repr(database.execute("PRAGMA user_version").fetchone()).encode())
    for name in _tables(database):
        digest.update(name.encode())
        for row in database.execute(f'SELECT * FROM "{name}"'):  # noqa: S608 - names of the store's own tables
            digest.update(repr(row).encode())
    return digest.hexdigest()


def _tables(database: sqlite3.Connection) -> Iterator[str]:
    """Without virtual ones: what these have is in tables, too."""
    query = "SELECT name FROM sqlite_master WHERE type='table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
    return (name for (name,) in database.execute(query).fetchall())
