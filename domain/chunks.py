"""A map of chunks that never changes, and still costs the same to add to at chunk 10 and at chunk 10 000.

Each `ChunkTable` is a value: adding gives a new one and the old one stays as it was. All tables of one history share
one dict; an entry remembers at which revision it came, and a table sees only what is not younger than itself. Adding
to a table that has already been added to (a second future from one past) copies the dict: rare, and correct.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Self

from domain.events import ChunkStored


class _Entry:
    """The chunk stored at `revision`, and what stood under its number before."""

    __slots__ = ("chunk", "older", "revision")

    def __init__(self, chunk: ChunkStored, revision: int, older: "_Entry | None") -> None:
        self.chunk = chunk
        self.revision = revision
        self.older = older


class _Shared:
    """The dict that all tables of one history share, and the revision of the youngest of them."""

    __slots__ = ("entries", "youngest")

    def __init__(self) -> None:
        self.entries: dict[int, _Entry] = {}
        self.youngest = 0


class ChunkTable(Mapping[int, ChunkStored]):
    """Chunk number -> the `ChunkStored` in force. Iterates in the order of first arrival.

    `size_bytes` is the sum over the chunks in force, `highest` the largest number (0 when empty).
    """

    __slots__ = ("_count", "_revision", "_shared", "highest", "size_bytes")

    def __init__(self) -> None:
        self._shared = _Shared()
        self._revision = 0
        self._count = 0
        self.highest = 0
        self.size_bytes = 0

    @classmethod
    def of(cls, chunks: Iterable[ChunkStored]) -> Self:
        """A table of `chunks`, added one after another."""
        table = cls()
        for chunk in chunks:
            table = table.with_chunk(chunk)
        return table

    def with_chunk(self, chunk: ChunkStored) -> Self:
        """This table and `chunk` under its number; this one is unchanged."""
        shared = self._shared if self._shared.youngest == self._revision else self._fork()
        before = shared.entries.get(chunk.number)
        revision = shared.youngest = shared.youngest + 1
        shared.entries[chunk.number] = _Entry(chunk, revision, before)

        table = object.__new__(type(self))
        table._shared = shared
        table._revision = revision
        table._count = self._count if before else self._count + 1
        table.highest = max(self.highest, chunk.number)
        table.size_bytes = self.size_bytes + chunk.size_bytes - (before.chunk.size_bytes if before else 0)
        return table

    def _fork(self) -> _Shared:
        shared = _Shared()
        for number, chunk in self.items():
            shared.entries[number] = _Entry(chunk, 0, None)
        return shared

    def in_order(self) -> list[ChunkStored]:
        """The chunks in force, by number."""
        return [self[number] for number in sorted(self)]

    def __getitem__(self, number: int) -> ChunkStored:
        entry = self._shared.entries.get(number)
        while entry is not None and entry.revision > self._revision:
            entry = entry.older
        if entry is None:
            raise KeyError(number)
        return entry.chunk

    def __iter__(self) -> Iterator[int]:
        return (number for number in self._shared.entries if number in self)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"ChunkTable({len(self)} chunks, {self.size_bytes} bytes)"
