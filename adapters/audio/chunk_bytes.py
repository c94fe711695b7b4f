"""Chunks' bytes as one seekable stream, read lazily.

Stitching copies all chunks into one file first: so each is opened once, however many there are and however often their
bytes are looked at.
"""

import bisect
import hashlib
import io
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, cast

from adapters.seekable import SeekableReader

OpenChunk = Callable[[], BinaryIO]
"""Opens a seekable reader of one chunk's bytes; the caller closes it."""

READ_SIZE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of one chunk that are next to one another. `number`: the chunk's; None for audio that is not a chunk."""

    open_chunk: OpenChunk
    number: int | None
    start: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredChunks:
    """Chunks in the order of their numbers, empty ones too, and the hex MD5 of their bytes."""

    pieces: tuple[Piece, ...]
    md5: str

    @classmethod
    def of(cls, chunks: Sequence[OpenChunk], numbers: Iterable[int] | None = None) -> "MeasuredChunks":
        """Read every chunk once, and again where it is. Unless `numbers` are given, they count from 1.

        Raises: OSError when one cannot be read.
        """
        digest = hashlib.md5(usedforsecurity=False)
        called = range(1, len(chunks) + 1) if numbers is None else numbers
        pieces = [
            Piece(open_chunk, number, 0, sum(len(block) for block in _noted(open_chunk, digest.update)))
            for open_chunk, number in zip(chunks, called, strict=True)
        ]
        return cls(pieces=tuple(pieces), md5=digest.hexdigest())

    @classmethod
    def copied(cls, chunks: Sequence[OpenChunk], copy: Path, numbers: Iterable[int] | None = None) -> "MeasuredChunks":
        """Read every chunk once, into one file; its bytes are then read there. The caller removes the file.

        Raises: OSError when a chunk cannot be read or the copy cannot be written.
        """
        digest = hashlib.md5(usedforsecurity=False)
        called = range(1, len(chunks) + 1) if numbers is None else numbers
        open_copy = partial(open_unbuffered, copy)
        pieces = []
        start = 0
        with copy.open("wb", READ_SIZE_BYTES) as written:
            for open_chunk, number in zip(chunks, called, strict=True):
                size = sum(written.write(block) for block in _noted(open_chunk, digest.update))
                pieces.append(Piece(open_copy, number, start, size))
                start += size
        return cls(pieces=tuple(pieces), md5=digest.hexdigest())


def _noted(open_chunk: OpenChunk, note: Callable[[bytes], None]) -> Iterator[bytes]:
    with open_chunk() as reader:
        while block := reader.read(READ_SIZE_BYTES):
            note(block)
            yield block


def open_unbuffered(path: Path) -> BinaryIO:
    return cast(BinaryIO, path.open("rb", buffering=0))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes that are next to one another where they are stored, from `start` to before `stop`."""

    open_chunk: OpenChunk
    start: int
    stop: int

    @property
    def size_bytes(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class ChunkRun:
    """Pieces of chunks, in order, seen as the bytes of one file. A file may begin and end in the middle of a chunk."""

    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, measured: MeasuredChunks) -> "ChunkRun":
        """All bytes of all chunks."""
        return cls(tuple(piece for piece in measured.pieces if piece.size_bytes))

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

    @cached_property
    def stretches(self) -> tuple["Stretch", ...]:
        """The run's bytes with those together that are next to one another where they are stored."""
        found: list[Stretch] = []
        for piece in self.pieces:
            last = found[-1] if found else None
            if last is not None and last.open_chunk is piece.open_chunk and last.stop == piece.start:
                found[-1] = Stretch(last.open_chunk, last.start, piece.start + piece.size_bytes)
            else:
                found.append(Stretch(piece.open_chunk, piece.start, piece.start + piece.size_bytes))
        return tuple(found)

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


class _JoinedPieces(SeekableReader):
    def __init__(self, run: ChunkRun) -> None:
        super().__init__()
        self._stretches = run.stretches
        self._starts = [0, *accumulate(stretch.size_bytes for stretch in self._stretches)]
        self._open_chunk: OpenChunk | None = None
        self._reader: BinaryIO | None = None
        self.failure: OSError | None = None

    @property
    def size_bytes(self) -> int:
        return self._starts[-1]

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        if self.position >= self.size_bytes or not len(buffer):
            return 0
        # The last stretch that starts at or before the position.
        index = bisect.bisect_right(self._starts, self.position) - 1
        wanted = min(len(buffer), self._starts[index + 1] - self.position)
        try:
            block = self._read(index, wanted)
        except OSError as error:
            self.failure = error
            raise
        buffer[: len(block)] = block
        self.position += len(block)
        return len(block)

    def _read(self, index: int, wanted: int) -> bytes:
        stretch = self._stretches[index]
        reader = self._reader_of(stretch.open_chunk)
        reader.seek(stretch.start + self.position - self._starts[index])
        block = reader.read(wanted)
        if not block:
            raise OSError(f"A chunk is now shorter than the {stretch.stop} bytes measured before.")
        return block

    def _reader_of(self, open_chunk: OpenChunk) -> BinaryIO:
        if self._reader is None or self._open_chunk is not open_chunk:
            self._close_chunk()
            self._reader, self._open_chunk = open_chunk(), open_chunk
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
