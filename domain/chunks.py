"""An immutable map of chunks. Adding a chunk costs the same at chunk 10 and at chunk 10 000.

Each `ChunkTable` is a value: adding returns a new one and leaves the old one unchanged. All tables of one history share
one dict, which notes the revision at which each entry came; a table sees only entries that are not newer than itself.
Adding again to a table that has already been added to (a second future of one past) copies the dict: rare, and correct.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, Protocol, Self, TypeVar, overload


class Numbered(Protocol):
    """What a table can hold."""

    @property
    def number(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...


C = TypeVar("C", bound=Numbered)
D = TypeVar("D")


class _Replaced(Generic[C]):
    """A replaced chunk, the revision at which it had come, and the chunk that had its number before it."""

    __slots__ = ("before", "came_at", "chunk")

    def __init__(self, chunk: C, came_at: int, before: "_Replaced[C] | None") -> None:
        self.chunk = chunk
        self.came_at = came_at
        self.before = before


class _Shared(Generic[C]):
    """What all tables of one history share: each number's newest chunk, the revision at which it came, and the rest.

    Two plain dicts and no object per chunk: the garbage collector would look at these objects again and again while a
    long history is read.
    """

    __slots__ = ("came_at", "chunks", "named", "replaced", "youngest")

    def __init__(self) -> None:
        self.chunks: dict[int, C] = {}
        self.came_at: dict[int, int] = {}
        self.replaced: dict[int, _Replaced[C]] = {}
        self.named: dict[str, int] = {}
        self.youngest = 0


class ChunkTable(Mapping[int, C]):
    """Chunk number -> its current event, such as its `ChunkStored`. Iterates in the order of first arrival.

    `size_bytes` is the sum over the current chunks, `highest` the largest number (0 when empty).
    """

    __slots__ = ("_count", "_revision", "_shared", "highest", "size_bytes")

    def __init__(self) -> None:
        self._shared: _Shared[C] = _Shared()
        self._revision = 0
        self._count = 0
        self.highest = 0
        self.size_bytes = 0

    @classmethod
    def of(cls, chunks: Iterable[C]) -> Self:
        """A table of `chunks`, added one after another."""
        table = cls()
        for chunk in chunks:
            table = table.with_chunk(chunk)
        return table

    def with_chunk(self, chunk: C) -> Self:
        """This table with `chunk` under its number; this table itself stays unchanged."""
        shared = self._shared if self._shared.youngest == self._revision else self._fork()
        number = chunk.number
        before = shared.chunks.get(number)
        if before is not None:
            shared.replaced[number] = _Replaced(before, shared.came_at[number], shared.replaced.get(number))
        revision = shared.youngest = shared.youngest + 1
        shared.chunks[number] = chunk
        shared.came_at[number] = revision

        table = object.__new__(type(self))
        table._shared = shared
        table._revision = revision
        if before is None:
            table._count = self._count + 1
            table.highest = max(self.highest, number)
            table.size_bytes = self.size_bytes + chunk.size_bytes
        else:
            table._count = self._count
            table.highest = self.highest
            table.size_bytes = self.size_bytes + chunk.size_bytes - before.size_bytes
        return table

    def with_named_chunk(self, chunk: C, name: str) -> Self:
        """Like `with_chunk`, for a chunk that can also be found by `name`."""
        table = self.with_chunk(chunk)
        table._shared.named[name] = chunk.number  # noqa: SLF001 - a table of this same class
        return table

    def named(self, name: str) -> C | None:
        """The newest chunk added under `name`, or what replaced it. None if this table has none."""
        number = self._shared.named.get(name)
        return None if number is None else self.get(number)

    def _fork(self) -> _Shared[C]:
        shared: _Shared[C] = _Shared()
        shared.chunks = dict(self)
        shared.came_at = dict.fromkeys(shared.chunks, self._revision)
        shared.named = {name: number for name, number in self._shared.named.items() if number in shared.chunks}
        shared.youngest = self._revision
        return shared

    def in_order(self) -> list[C]:
        """The current chunks, by number."""
        return [self[number] for number in sorted(self)]

    def __getitem__(self, number: int) -> C:
        shared = self._shared
        chunk = shared.chunks[number]
        if shared.came_at[number] <= self._revision:
            return chunk
        older = shared.replaced.get(number)
        while older is not None and older.came_at > self._revision:
            older = older.before
        if older is None:
            raise KeyError(number)
        return older.chunk

    @overload
    def get(self, number: int, /) -> C | None: ...
    @overload
    def get(self, number: int, /, default: C | D) -> C | D: ...
    def get(self, number: int, /, default: C | D | None = None) -> C | D | None:
        """As a mapping's. Each chunk that comes is looked for several times, and nearly always is new."""
        return super().get(number, default) if number in self._shared.chunks else default

    def __iter__(self) -> Iterator[int]:
        return (number for number in self._shared.chunks if number in self)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"ChunkTable({len(self)} chunks, {self.size_bytes} bytes)"
