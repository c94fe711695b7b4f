"""Chunks' bytes as one seekable stream, read lazily: one chunk is open at a time, however many there are."""

import bisect
import hashlib
import io
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate
from typing import BinaryIO, cast

OpenChunk = Callable[[], BinaryIO]
"""Opens a seekable reader of one chunk's bytes; the caller closes it."""

READ_SIZE_BYTES = 1 << 18
_SMALL_PIECE, _LARGEST_GROUP, _MOST_GROUPS_HELD = 1 << 12, 1 << 16, 16
"""Small pieces next to one another are read together and held: opening thousands again and again takes long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredChunks:
    """Chunks, and what one pass over their bytes found. `numbers`: what each is called, in rising order."""

    chunks: tuple[OpenChunk, ...]
    numbers: tuple[int, ...]
    sizes_bytes: tuple[int, ...]
    md5: str

    @classmethod
    def of(cls, chunks: Sequence[OpenChunk], numbers: Iterable[int] | None = None) -> "MeasuredChunks":
        """Read every chunk once. Unless `numbers` are given, they count from 1.

        Raises: OSError when one cannot be read.
        """
        digest = hashlib.md5(usedforsecurity=False)
        sizes = []
        for open_chunk in chunks:
            size = 0
            with open_chunk() as reader:
                while block := reader.read(READ_SIZE_BYTES):
                    digest.update(block)
                    size += len(block)
            sizes.append(size)
        called = tuple(range(1, len(sizes) + 1) if numbers is None else numbers)
        return cls(chunks=tuple(chunks), numbers=called, sizes_bytes=tuple(sizes), md5=digest.hexdigest())


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of one chunk that are next to one another. `number`: the chunk's; None for audio that is not a chunk."""

    open_chunk: OpenChunk
    number: int | None
    start: int
    size_bytes: int


@dataclass(frozen=True)
class ChunkRun:
    """Pieces of chunks, in order, seen as the bytes of one file. A file may begin and end in the middle of a chunk."""

    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, measured: MeasuredChunks) -> "ChunkRun":
        """All bytes of all chunks."""
        found = zip(measured.chunks, measured.numbers, measured.sizes_bytes, strict=True)
        return cls(tuple(Piece(open_chunk, number, 0, size) for open_chunk, number, size in found if size))

    @classmethod
    def of_file(cls, open_audio: OpenChunk) -> "ChunkRun":
        """A file as it is. Raises OSError when it cannot be opened."""
        with open_audio() as reader:
            size = reader.seek(0, os.SEEK_END)
        return cls((Piece(open_audio, None, 0, size),))

    @cached_property
    def edges(self) -> tuple[int, ...]:
        """Where each piece begins, and at last where the run ends."""
        return (0, *accumulate(piece.size_bytes for piece in self.pieces))

    @property
    def size_bytes(self) -> int:
        return self.edges[-1]

    @property
    def first_number(self) -> int | None:
        return self.pieces[0].number if self.pieces else None

    def spans(self) -> Iterator[tuple[int, range]]:
        """Every piece's chunk number, and the range of the run's bytes that it fills."""
        for piece, start in zip(self.pieces, self.edges, strict=False):
            yield piece.number or 1, range(start, start + piece.size_bytes)

    def numbers_in(self, span: range) -> tuple[int, ...]:
        """The numbers of the chunks that hold a range of the run's bytes. None where the run is no chunk."""
        numbers = (piece.number for piece in self.part(span.start, span.stop).pieces)
        return tuple(dict.fromkeys(number for number in numbers if number is not None))

    def part(self, start: int, stop: int) -> "ChunkRun":
        """The run's bytes from `start` to before `stop`."""
        edges = self.edges
        first = bisect.bisect_right(edges, start) - 1
        last = bisect.bisect_left(edges, stop)
        pieces = []
        for index in range(max(0, first), min(last, len(self.pieces))):
            piece, edge = self.pieces[index], edges[index]
            begin, end = max(start, edge), min(stop, edges[index + 1])
            if begin < end:
                pieces.append(Piece(piece.open_chunk, piece.number, piece.start + begin - edge, end - begin))
        return ChunkRun(tuple(pieces))

    def without(self, numbers: Collection[int]) -> "ChunkRun":
        """The run without the bytes of these chunks."""
        return ChunkRun(tuple(piece for piece in self.pieces if piece.number not in numbers))

    def patched(self, patches: Iterable[tuple[int, bytes]]) -> "ChunkRun":
        """The run with other bytes in the place of as many of its own. `patches`: where each begins, in order."""
        pieces: list[Piece] = []
        end = 0
        for position, replacement in patches:
            pieces += self.part(end, position).pieces
            end = position + len(replacement)
            numbers = self.numbers_in(range(position, end))
            number = numbers[0] if numbers else None
            pieces.append(Piece(partial(io.BytesIO, replacement), number, 0, len(replacement)))
        return ChunkRun((*pieces, *self.part(end, self.size_bytes).pieces))

    @contextmanager
    def open(self) -> Iterator["ChunkReader"]:
        """A buffered reader over the run.

        Raises the OSError that a read met, even if the code that was reading took it for the end of the file: decoders
        do, and the recording would be silently cut short.
        """
        joined = _JoinedPieces(self)
        with ChunkReader(joined) as reader:
            try:
                yield reader
            finally:
                # In a `finally`, so that it also replaces the decoder's own error about what it read.
                if joined.failure is not None:
                    raise joined.failure


class ChunkReader(io.BufferedReader):
    """A reader over chunks that knows how many bytes they have together."""

    def __init__(self, joined: "_JoinedPieces") -> None:
        super().__init__(joined, READ_SIZE_BYTES)
        self.size_bytes = joined.size_bytes


def _groups(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """The pieces in order, with small ones that are next to one another in groups."""
    group: list[Piece] = []
    size = 0
    for piece in pieces:
        fits = piece.size_bytes <= _SMALL_PIECE and size + piece.size_bytes <= _LARGEST_GROUP
        if group and not (fits and group[-1].size_bytes <= _SMALL_PIECE):
            yield group
            group, size = [], 0
        group.append(piece)
        size += piece.size_bytes
    if group:
        yield group


def _content(piece: Piece) -> bytes:
    with piece.open_chunk() as reader:
        reader.seek(piece.start)
        content = reader.read(piece.size_bytes)
    if len(content) < piece.size_bytes:
        raise OSError(f"A chunk is now shorter than the {piece.size_bytes} bytes measured before.")
    return content


class _JoinedPieces(io.RawIOBase):
    def __init__(self, run: ChunkRun) -> None:
        super().__init__()
        self._groups = list(_groups(run.pieces))
        self._starts = [0, *accumulate(sum(piece.size_bytes for piece in group) for group in self._groups)]
        self._position = 0
        self._index: int | None = None
        self._reader: BinaryIO | None = None
        self._contents: dict[int, bytes] = {}
        self.failure: OSError | None = None

    @property
    def size_bytes(self) -> int:
        return self._starts[-1]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size_bytes}[whence]
        if base + offset < 0:
            raise ValueError("a position before the first byte")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        if self._position >= self.size_bytes or not len(buffer):
            return 0
        # The last chunk that starts at or before the position; empty ones before it are skipped.
        index = bisect.bisect_right(self._starts, self._position) - 1
        wanted = min(len(buffer), self._starts[index + 1] - self._position)
        try:
            block = self._read(index, wanted)
            if not block:
                raise OSError(f"A chunk is now shorter than the {self._starts[index + 1]} bytes measured before.")  # noqa: TRY301 - one place keeps the failure
        except OSError as error:
            self.failure = error
            raise
        buffer[: len(block)] = block
        self._position += len(block)
        return len(block)

    def _read(self, index: int, wanted: int) -> bytes:
        group = self._groups[index]
        if len(group) == 1:
            return self._at(index, group[0]).read(wanted)
        if index not in self._contents:
            if len(self._contents) >= _MOST_GROUPS_HELD:
                self._contents.clear()
            self._contents[index] = b"".join(map(_content, group))
        offset = self._position - self._starts[index]
        return self._contents[index][offset : offset + wanted]

    def _at(self, index: int, piece: Piece) -> BinaryIO:
        if self._reader is None or self._index != index:
            self._close_chunk()
            self._reader = piece.open_chunk()
            self._index = index
        self._reader.seek(piece.start + self._position - self._starts[index])
        return self._reader

    def close(self) -> None:
        self._close_chunk()
        super().close()

    def _close_chunk(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = None


class _Part:
    """A stretch of another reader's bytes, counted from its own start."""

    def __init__(self, reader: BinaryIO, start: int, size_bytes: int) -> None:
        self._reader = reader
        self._start = start
        self._size_bytes = size_bytes
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size_bytes}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._size_bytes - self._position)
        wanted = left if size < 0 else min(size, left)
        if not wanted:
            return b""
        self._reader.seek(self._start + self._position)
        block = self._reader.read(wanted)
        self._position += len(block)
        return block


def part_of(reader: BinaryIO, start: int, size_bytes: int) -> BinaryIO:
    """A reader of a part of what `reader` reads. Both share one buffer, so that looking ahead reads nothing twice."""
    return cast(BinaryIO, _Part(reader, start, size_bytes))
