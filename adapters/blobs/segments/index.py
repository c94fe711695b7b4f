"""Where each blob lies in the segments, in SQLite: durable, and readable from any process at once.

It holds nothing that the segments do not: if lost, it is rebuilt by reading them. What it adds is what is *no longer*
there: a blob is deleted by one transaction here, which also notes its bytes, and these are then erased in the file; a
crash in between leaves the note. If its record is not here yet, because another process has just written it, it is
noted as forgotten, and that process does not add it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.blobs.index_file import IndexFile, beginning_with
from adapters.blobs.segments.format import HEADER_BYTES

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS blobs (
        key TEXT PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, size_bytes INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS segments (
        id INTEGER PRIMARY KEY, indexed_end INTEGER NOT NULL, is_sealed INTEGER NOT NULL,
        live_records INTEGER NOT NULL, live_bytes INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS erasures (
        segment INTEGER NOT NULL, offset INTEGER NOT NULL, end INTEGER NOT NULL, PRIMARY KEY (segment, offset)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS forgotten (
        segment INTEGER NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY (segment, offset)
    ) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a blob is. `offset`: of its record; the body comes after the record's header and key."""

    segment: int
    offset: int
    body_offset: int
    size_bytes: int

    @property
    def end(self) -> int:
        return self.body_offset + self.size_bytes


@dataclass(frozen=True, slots=True)
class SegmentStanding:
    """What the index knows about one segment. Sealed: never appended to again. `live_bytes`: of whole records."""

    id: int
    indexed_end: int
    is_sealed: bool
    live_records: int
    live_bytes: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """Bytes to be removed from a segment."""

    segment: int
    offset: int
    end: int


@dataclass(frozen=True, slots=True)
class Move:
    """A blob's bytes have been copied to another segment."""

    key: str
    before: Place
    after: Place


class SegmentIndex:
    """Blocking; can be used from any thread. Raises: StorageFull, StorageUnavailable."""

    def __init__(self, path: Path) -> None:
        self._file = IndexFile(path, _SCHEMA)

    def find(self, key: str) -> Place | None:
        with self._file.reading() as reader:
            row = reader.execute("SELECT segment, offset, size_bytes FROM blobs WHERE key=?", (key,)).fetchone()
        return None if row is None else _place(key, *row)

    def present(self, keys: Sequence[str]) -> set[str]:
        """Those of these keys that are here, in one query."""
        if not keys:
            return set()
        marks = ",".join("?" * len(keys))
        with self._file.reading() as reader:
            return {key for (key,) in reader.execute(f"SELECT key FROM blobs WHERE key IN ({marks})", keys)}  # noqa: S608

    def keys(self, beginning: str) -> Iterator[str]:
        return beginning_with(beginning, self._file)

    def segments(self) -> list[SegmentStanding]:
        with self._file.reading() as reader:
            rows = reader.execute(
                "SELECT id, indexed_end, is_sealed, live_records, live_bytes FROM segments"
            ).fetchall()
        return [SegmentStanding(id_, end, bool(sealed), count, size) for id_, end, sealed, count, size in rows]

    def erasures(self) -> list[Erasure]:
        with self._file.reading() as reader:
            return [Erasure(*row) for row in reader.execute("SELECT segment, offset, end FROM erasures")]

    def add(
        self,
        segment: int,
        placed: Sequence[tuple[str, Place]],
        *,
        moved: Sequence[Move] = (),
        indexed_end: int,
        sealed: bool = False,
    ) -> None:
        """Index records of a segment, which is then known up to `indexed_end`.

        A key that is already here keeps its place; the second copy of its bytes is noted to be erased. A moved one
        gets its new place and its old bytes are noted to be erased, unless it has been deleted meanwhile. Records that
        were forgotten before they came here stay so, and those that have come before change nothing.
        """
        with self._file.writing() as writer:
            begin = _indexed_end(writer, segment)
            forgotten = _forgotten(writer, segment)
            placed = [(key, at) for key, at in placed if at.offset >= begin and at.offset not in forgotten]
            moved = [move for move in moved if move.after.offset >= begin]
            writer.execute(
                "INSERT INTO segments VALUES (?1,?2,?3,0,0) "
                "ON CONFLICT (id) DO UPDATE SET indexed_end=?2, is_sealed=?3",
                (segment, indexed_end, sealed),
            )
            copies = _insert(writer, placed)
            _count(writer, segment, [place for _, place in placed], 1)
            _count(writer, segment, copies, -1)
            no_longer_needed = [*copies, *(_move(writer, move) for move in moved)]
            writer.executemany("INSERT OR IGNORE INTO erasures VALUES (?,?,?)", map(_erasure, no_longer_needed))

    def drop(self, keys: Sequence[str], *, unindexed: Sequence[Place] = ()) -> None:
        """Forget these keys, and note that their bytes are to be erased.

        `unindexed`: where their records lie in segments of other processes that may not have added them yet.
        """
        with self._file.writing() as writer:
            for key in keys:
                row = writer.execute(
                    "DELETE FROM blobs WHERE key=? RETURNING segment, offset, size_bytes", (key,)
                ).fetchone()
                if row is not None:
                    place = _place(key, *row)
                    writer.execute("INSERT OR IGNORE INTO erasures VALUES (?,?,?)", _erasure(place))
                    _count(writer, place.segment, [place], -1)
            still = [place for place in unindexed if place.offset >= _indexed_end(writer, place.segment)]
            writer.executemany(
                "INSERT OR IGNORE INTO forgotten VALUES (?,?)", [(place.segment, place.offset) for place in still]
            )
            writer.executemany("INSERT OR IGNORE INTO erasures VALUES (?,?,?)", map(_erasure, still))

    def forgotten(self) -> set[tuple[int, int]]:
        """Segment and offset of every record that was forgotten before it was here."""
        with self._file.reading() as reader:
            return set(reader.execute("SELECT segment, offset FROM forgotten"))

    def is_forgotten(self, place: Place) -> bool:
        with self._file.reading() as reader:
            found = reader.execute(
                "SELECT 1 FROM forgotten WHERE segment=? AND offset=?", (place.segment, place.offset)
            ).fetchone()
        return found is not None

    def strike_forgotten(self, segment: int) -> None:
        """Strike out what was noted as forgotten, as far as the segment is known here.

        Only when its writer looks for none of these records outside of the index any more: it would find them again.
        """
        with self._file.reading() as reader:
            has_any = reader.execute("SELECT 1 FROM forgotten WHERE segment=? LIMIT 1", (segment,)).fetchone()
        if has_any:
            with self._file.writing() as writer:
                writer.execute(
                    "DELETE FROM forgotten WHERE segment=? AND offset<?", (segment, _indexed_end(writer, segment))
                )

    def erased(self, erasures: Sequence[Erasure]) -> None:
        """Strike out these notes: it is done."""
        with self._file.writing() as writer:
            writer.executemany(
                "DELETE FROM erasures WHERE segment=? AND offset=?", [(each.segment, each.offset) for each in erasures]
            )

    def forget_segment(self, segment: int) -> None:
        """The segment's file is gone."""
        with self._file.writing() as writer:
            writer.execute("DELETE FROM erasures WHERE segment=?", (segment,))
            writer.execute("DELETE FROM forgotten WHERE segment=?", (segment,))
            writer.execute("DELETE FROM segments WHERE id=?", (segment,))

    def give_back(self) -> None:
        """Let the file shrink by what dropped keys have left of it."""
        self._file.give_back()

    def close(self) -> None:
        self._file.close()


def _place(key: str, segment: int, offset: int, size_bytes: int) -> Place:
    return Place(segment, offset, offset + HEADER_BYTES + len(key), size_bytes)


def _indexed_end(writer: sqlite3.Connection, segment: int) -> int:
    found = writer.execute("SELECT indexed_end FROM segments WHERE id=?", (segment,)).fetchone()
    return 0 if found is None else int(found[0])


def _forgotten(writer: sqlite3.Connection, segment: int) -> set[int]:
    return {offset for (offset,) in writer.execute("SELECT offset FROM forgotten WHERE segment=?", (segment,))}


def _insert(writer: sqlite3.Connection, placed: Sequence[tuple[str, Place]]) -> list[Place]:
    """Insert those whose key is new; returns the places of the others."""
    rows = [(key, place.segment, place.offset, place.size_bytes) for key, place in placed]
    cursor = writer.executemany("INSERT OR IGNORE INTO blobs VALUES (?,?,?,?)", rows)
    if cursor.rowcount == len(rows):
        return []
    copies = []
    for key, place in placed:
        segment, offset = writer.execute("SELECT segment, offset FROM blobs WHERE key=?", (key,)).fetchone()
        if (segment, offset) != (place.segment, place.offset):
            copies.append(place)
    return copies


def _move(writer: sqlite3.Connection, move: Move) -> Place:
    """Point the key to the copy; returns the place whose bytes are not needed any more."""
    changed = writer.execute(
        "UPDATE blobs SET segment=?, offset=? WHERE key=? AND segment=? AND offset=?",
        (move.after.segment, move.after.offset, move.key, move.before.segment, move.before.offset),
    ).rowcount
    if not changed:
        return move.after
    _count(writer, move.before.segment, [move.before], -1)
    _count(writer, move.after.segment, [move.after], 1)
    return move.before


def _count(writer: sqlite3.Connection, segment: int, places: Sequence[Place], sign: int) -> None:
    writer.execute(
        "UPDATE segments SET live_records=live_records+?, live_bytes=live_bytes+? WHERE id=?",
        (sign * len(places), sign * sum(place.end - place.offset for place in places), segment),
    )


def _erasure(place: Place) -> tuple[int, int, int]:
    return (place.segment, place.offset, place.end)
