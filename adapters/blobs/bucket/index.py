"""Which object each small body is in, in SQLite beside the service: durable, and readable from any process at once.

What it adds to the objects is what is *no longer* there, and what is to be deleted: an object is noted as doomed before
it may become one that nobody knows of. If lost, it is rebuilt from the objects, without what it adds.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.blobs.bucket.object_format import Part
from adapters.blobs.index_file import IndexFile, beginning_with

LATEST_ARRIVAL_SECONDS = 3_600
"""An object whose PUT failed may still be written by a server that was slow; for so long it is deleted again."""

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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a blob is: in which object, and from which byte on."""

    object: str
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ObjectStanding:
    """What the index knows about one object that bodies share. `blobs`: how many were put into it."""

    name: str
    size_bytes: int
    blobs: int
    live_blobs: int
    live_bytes: int


class BucketIndex:
    """Blocking; can be used from any thread. Raises: StorageFull, StorageUnavailable."""

    def __init__(self, path: Path) -> None:
        self._file = IndexFile(path, _SCHEMA)

    def find(self, key: str) -> Place | None:
        with self._file.reading() as reader:
            row = reader.execute(
                "SELECT name, offset, blobs.size_bytes FROM blobs JOIN objects ON objects.id=object WHERE key=?", (key,)
            ).fetchone()
        return None if row is None else Place(*row)

    def present(self, keys: Sequence[str]) -> set[str]:
        """Those of these keys that are here, in one query."""
        marks = ",".join("?" * len(keys))
        with self._file.reading() as reader:
            return {key for (key,) in reader.execute(f"SELECT key FROM blobs WHERE key IN ({marks})", keys)}  # noqa: S608

    def keys(self, beginning: str) -> Iterator[str]:
        return beginning_with(beginning, self._file)

    def objects(self) -> list[ObjectStanding]:
        return self._standings("")

    def with_dead_blobs(self) -> list[ObjectStanding]:
        return self._standings("WHERE live_blobs < blobs")

    def _standings(self, condition: str) -> list[ObjectStanding]:
        with self._file.reading() as reader:
            query = f"SELECT name, size_bytes, blobs, live_blobs, live_bytes FROM objects {condition}"  # noqa: S608
            return [ObjectStanding(*row) for row in reader.execute(query)]

    def live_in(self, name: str) -> dict[str, Place]:
        """The blobs for which this object is needed, by their keys, in their order there."""
        with self._file.reading() as reader:
            query = (
                "SELECT key, offset, size_bytes FROM blobs WHERE object=(SELECT id FROM objects WHERE name=?)"
                " ORDER BY offset"
            )
            return {key: Place(name, offset, size_bytes) for key, offset, size_bytes in reader.execute(query, (name,))}

    def add(self, name: str, size_bytes: int, parts: Sequence[Part]) -> None:
        """Index an object. A key that is already here keeps its place; its second copy is dead from the beginning."""
        with self._file.writing() as writer:
            its_id = _insert_object(writer, name, size_bytes, len(parts))
            writer.executemany(
                "INSERT OR IGNORE INTO blobs VALUES (?,?,?,?)",
                [(part.key, its_id, part.offset, part.size_bytes) for part in parts],
            )
            _count_again(writer, its_id)

    def replace(self, old: Sequence[str], name: str, size_bytes: int, parts: Sequence[Part]) -> None:
        """What was live in the old objects is in a new one now; what was dropped meanwhile is dead there.

        The old ones are doomed, and the new one, which was, is not.
        """
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

    def drop(self, keys: Sequence[str]) -> None:
        """Forget these keys; their objects then have dead blobs."""
        with self._file.writing() as writer:
            changed: set[int] = set()
            for key in keys:
                row = writer.execute("DELETE FROM blobs WHERE key=? RETURNING object", (key,)).fetchone()
                changed.update(row or ())
            for its_id in changed:
                _count_again(writer, its_id)

    def forget(self, names: Sequence[str]) -> int:
        """Forget these objects, which are not in the bucket; returns how many blobs are lost with them."""
        with self._file.writing() as writer:
            return _forget(writer, names)

    def doom(self, names: Sequence[str], *, may_still_arrive: bool) -> None:
        """Note that these objects are to be deleted. Those that may still arrive, again and again for a time."""
        with self._file.writing() as writer:
            _forget(writer, names)
            _doom(writer, names, arrives_until=time.time() + LATEST_ARRIVAL_SECONDS if may_still_arrive else 0)

    def doomed(self) -> list[str]:
        with self._file.reading() as reader:
            return [name for (name,) in reader.execute("SELECT name FROM doomed")]

    def deleted(self, names: Sequence[str]) -> None:
        """These have been deleted from the bucket, and nothing is left to do but for those that may still arrive."""
        with self._file.writing() as writer:
            writer.executemany(
                "DELETE FROM doomed WHERE name=? AND arrives_until < ?", [(name, time.time()) for name in names]
            )

    def owner(self) -> str | None:
        """What the marker in the bucket must say."""
        return self._fact("owner")

    def set_owner(self, owner: str) -> None:
        self._set_fact("owner", owner)

    def is_marked(self) -> bool:
        """Whether the marker has been seen in the bucket: since then it must be there."""
        return self._fact("marked") is not None

    def set_marked(self) -> None:
        self._set_fact("marked", "yes")

    def _fact(self, fact: str) -> str | None:
        with self._file.reading() as reader:
            row = reader.execute("SELECT value FROM about WHERE fact=?", (fact,)).fetchone()
        return None if row is None else str(row[0])

    def _set_fact(self, fact: str, value: str) -> None:
        with self._file.writing() as writer:
            writer.execute("INSERT OR REPLACE INTO about VALUES (?,?)", (fact, value))

    def give_back(self) -> None:
        """Let the file shrink by what dropped keys have left of it."""
        self._file.give_back()

    def close(self) -> None:
        self._file.close()


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
