"""The index of a bucket in SQLite beside the service: durable, and readable from any process at once.

An object is noted as doomed before it may become one that nobody knows of, but for those with new bodies: what a crash
leaves of these is found at the next start, while no other process stores.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from adapters.blobs.bucket.facts import Facts
from adapters.blobs.bucket.index import LATEST_ARRIVAL_SECONDS, ObjectStanding, Place, SharedUsage, new_name
from adapters.blobs.bucket.object_format import Part
from adapters.blobs.index_file import IndexFile, beginning_with
from adapters.blobs.storage_errors import storage_errors

INDEX_FILE = "index.sqlite3"
_NAMES_AT_ONCE = 1_000
_PAST_ANY_NAME = "\x7f"

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS blobs (
        key TEXT PRIMARY KEY, object INTEGER NOT NULL, offset INTEGER NOT NULL, size_bytes INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS blobs_of_object ON blobs (object);
    CREATE TABLE IF NOT EXISTS objects (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size_bytes INTEGER NOT NULL,
        blobs INTEGER NOT NULL, live_blobs INTEGER NOT NULL, live_bytes INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS objects_with_dead_blobs ON objects (id) WHERE live_blobs < blobs;
    CREATE TABLE IF NOT EXISTS doomed (name TEXT PRIMARY KEY, arrives_until REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS about (fact TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID
"""


class IndexInFile(Facts):
    """A `BucketIndex`. `folder`: where its file is, which all processes have that use the bucket."""

    owned_by = "data directory"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = IndexFile(folder / INDEX_FILE, _SCHEMA)

    def find(self, key: str) -> Place | None:
        with self._file.reading() as reader:
            row = reader.execute(
                "SELECT name, offset, blobs.size_bytes FROM blobs JOIN objects ON objects.id=object WHERE key=?", (key,)
            ).fetchone()
        return None if row is None else Place(*row)

    def present(self, keys: Sequence[str]) -> set[str]:
        marks = ",".join("?" * len(keys))
        with self._file.reading() as reader:
            return {key for (key,) in reader.execute(f"SELECT key FROM blobs WHERE key IN ({marks})", keys)}  # noqa: S608

    def keys(self, beginning: str) -> Iterator[str]:
        return beginning_with(beginning, self._file)

    def names(self, *, after: str, up_to: str | None) -> list[str]:
        with self._file.reading() as reader:
            query = "SELECT name FROM objects WHERE name > ? AND name <= ? ORDER BY name LIMIT ?"
            found = reader.execute(query, (after, _PAST_ANY_NAME if up_to is None else up_to, _NAMES_AT_ONCE))
            return [name for (name,) in found]

    def has(self, name: str) -> bool:
        with self._file.reading() as reader:
            return reader.execute("SELECT 1 FROM objects WHERE name=?", (name,)).fetchone() is not None

    def known(self, names: Sequence[str]) -> set[str]:
        known: set[str] = set()
        with self._file.reading() as reader:
            for start in range(0, len(names), _NAMES_AT_ONCE):
                some = names[start : start + _NAMES_AT_ONCE]
                marks = ",".join("?" * len(some))
                for table in ("objects", "doomed"):
                    query = f"SELECT name FROM {table} WHERE name IN ({marks})"  # noqa: S608
                    known.update(name for (name,) in reader.execute(query, some))
        return known

    def usage(self) -> SharedUsage:
        with self._file.reading() as reader:
            query = (
                "SELECT coalesce(sum(live_blobs), 0), coalesce(sum(live_bytes), 0), coalesce(sum(size_bytes), 0)"
                " FROM objects"
            )
            live_blobs, live_bytes, stored_bytes = reader.execute(query).fetchone()
        return SharedUsage(live_blobs, live_bytes, stored_bytes - live_bytes, stored_bytes)

    def with_dead_blobs(self) -> list[ObjectStanding]:
        with self._file.reading() as reader:
            query = "SELECT name, size_bytes, blobs, live_blobs, live_bytes FROM objects WHERE live_blobs < blobs"
            return [ObjectStanding(*row) for row in reader.execute(query)]

    def live_in(self, name: str) -> dict[str, Place]:
        with self._file.reading() as reader:
            query = (
                "SELECT key, offset, size_bytes FROM blobs WHERE object=(SELECT id FROM objects WHERE name=?)"
                " ORDER BY offset"
            )
            return {key: Place(name, offset, size_bytes) for key, offset, size_bytes in reader.execute(query, (name,))}

    def name_for_new(self) -> str:
        return new_name()

    def add(self, name: str, size_bytes: int, parts: Sequence[Part]) -> bool:
        with self._file.writing() as writer:
            _add(writer, name, size_bytes, parts)
        return True

    def give_up(self, name: str) -> None:
        with self._file.writing() as writer:
            if not _is_known(writer, name):
                _doom(writer, [name], arrives_until=time.time() + LATEST_ARRIVAL_SECONDS)

    def adopt(self, name: str, size_bytes: int, parts: Sequence[Part]) -> int | None:
        with self._file.writing() as writer:
            if _is_known(writer, name):
                return None
            its_id = _add(writer, name, size_bytes, parts)
            return int(writer.execute("SELECT live_blobs FROM objects WHERE id=?", (its_id,)).fetchone()[0])

    def move_here(self) -> None:
        """There is nothing else."""

    def name_for_moved(self, sources: Sequence[str]) -> str:
        """Until the object is in the index it is doomed."""
        del sources  # one process moves at a time, and what it leaves behind is deleted
        name = new_name()
        with self._file.writing() as writer:
            _doom(writer, [name], arrives_until=time.time() + LATEST_ARRIVAL_SECONDS)
        return name

    def replace(self, old: Sequence[str], name: str, size_bytes: int, parts: Sequence[Part]) -> bool:
        """The old ones are doomed, and the new one, which was, is not."""
        with self._file.writing() as writer:
            its_id = _insert_object(writer, name, size_bytes, len(parts))
            ids = [writer.execute("SELECT id FROM objects WHERE name=?", (each,)).fetchone()[0] for each in old]
            marks = ",".join("?" * len(ids))
            writer.executemany(
                f"UPDATE blobs SET object=?, offset=? WHERE key=? AND object IN ({marks})",  # noqa: S608
                [(its_id, part.offset, part.key, *ids) for part in parts],
            )
            _count_again(writer, its_id)
            writer.execute("DELETE FROM doomed WHERE name=?", (name,))
            _forget(writer, old)
            _doom(writer, old, arrives_until=0)
        return True

    def unfinished_moves(self) -> Mapping[str, Sequence[str]]:
        return {}

    def take_away(self, names: Sequence[str]) -> None:
        """There are none."""

    def take_away_from_dead(self) -> None:
        """There are none."""

    def let_go(self, moves: Sequence[str]) -> None:
        """There are none."""

    def drop(self, keys: Sequence[str]) -> None:
        with self._file.writing() as writer:
            changed: set[int] = set()
            for key in keys:
                row = writer.execute("DELETE FROM blobs WHERE key=? RETURNING object", (key,)).fetchone()
                changed.update(row or ())
            for its_id in changed:
                _count_again(writer, its_id)

    def forget(self, names: Sequence[str]) -> int:
        with self._file.writing() as writer:
            return _forget(writer, names)

    def doom_empty(self, names: Sequence[str]) -> None:
        with self._file.writing() as writer:
            _forget(writer, names)
            _doom(writer, names, arrives_until=0)

    def doomed(self) -> list[str]:
        with self._file.reading() as reader:
            return [name for (name,) in reader.execute("SELECT name FROM doomed")]

    def deleted(self, names: Sequence[str]) -> None:
        with self._file.writing() as writer:
            writer.executemany(
                "DELETE FROM doomed WHERE name=? AND arrives_until < ?", [(name, time.time()) for name in names]
            )

    def was_deleted(self, names: Sequence[str]) -> set[str]:
        """None that is known: what has been deleted is forgotten."""
        del names
        return set()

    def revive(self, names: Sequence[str]) -> None:
        with self._file.writing() as writer:
            writer.executemany("DELETE FROM doomed WHERE name=?", [(name,) for name in names])

    @contextmanager
    def removing(self) -> Iterator[None]:
        """One that is killed in the block has left it; for one that hangs in it the others wait."""
        with storage_errors():
            lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with storage_errors():
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _fact(self, fact: str) -> str | None:
        with self._file.reading() as reader:
            row = reader.execute("SELECT value FROM about WHERE fact=?", (fact,)).fetchone()
        return None if row is None else str(row[0])

    def _set_fact(self, fact: str, value: str) -> None:
        with self._file.writing() as writer:
            writer.execute("INSERT OR REPLACE INTO about VALUES (?,?)", (fact, value))

    def give_back(self) -> None:
        self._file.give_back()

    def close(self) -> None:
        self._file.close()


def _is_known(writer: sqlite3.Connection, name: str) -> bool:
    query = "SELECT 1 FROM objects WHERE name=?1 UNION ALL SELECT 1 FROM doomed WHERE name=?1"
    return writer.execute(query, (name,)).fetchone() is not None


def _add(writer: sqlite3.Connection, name: str, size_bytes: int, parts: Sequence[Part]) -> int:
    """Returns its id."""
    its_id = _insert_object(writer, name, size_bytes, len(parts))
    writer.executemany(
        "INSERT OR IGNORE INTO blobs VALUES (?,?,?,?)",
        [(part.key, its_id, part.offset, part.size_bytes) for part in parts],
    )
    _count_again(writer, its_id)
    return its_id


def _insert_object(writer: sqlite3.Connection, name: str, size_bytes: int, blobs: int) -> int:
    query = "INSERT INTO objects (name, size_bytes, blobs, live_blobs, live_bytes) VALUES (?,?,?,0,0) RETURNING id"
    return int(writer.execute(query, (name, size_bytes, blobs)).fetchone()[0])


def _count_again(writer: sqlite3.Connection, its_id: int) -> None:
    writer.execute(
        "UPDATE objects SET (live_blobs, live_bytes)="
        "(SELECT count(*), coalesce(sum(size_bytes), 0) FROM blobs WHERE object=?1) WHERE id=?1",
        (its_id,),
    )


def _forget(writer: sqlite3.Connection, names: Sequence[str]) -> int:
    lost = 0
    for name in names:
        row = writer.execute("DELETE FROM objects WHERE name=? RETURNING id", (name,)).fetchone()
        if row is not None:
            lost += writer.execute("DELETE FROM blobs WHERE object=?", row).rowcount
    return lost


def _doom(writer: sqlite3.Connection, names: Sequence[str], *, arrives_until: float) -> None:
    writer.executemany("INSERT OR REPLACE INTO doomed VALUES (?,?)", [(name, arrives_until) for name in names])
