"""Chunks' bytes as one seekable stream, read lazily: one chunk is open at a time, however many there are."""

import bisect
import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO

OpenChunk = Callable[[], BinaryIO]
"""Opens a seekable reader of one chunk's bytes; the caller closes it."""

READ_SIZE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredChunks:
    """Chunks, and what one pass over their bytes found."""

    chunks: tuple[OpenChunk, ...]
    sizes_bytes: tuple[int, ...]
    md5: str

    @classmethod
    def of(cls, chunks: Sequence[OpenChunk]) -> "MeasuredChunks":
        """Read every chunk once. Raises OSError when one cannot be read."""
        digest = hashlib.md5(usedforsecurity=False)
        sizes = []
        for open_chunk in chunks:
            size = 0
            with open_chunk() as reader:
                while block := reader.read(READ_SIZE_BYTES):
                    digest.update(block)
                    size += len(block)
            sizes.append(size)
        return cls(chunks=tuple(chunks), sizes_bytes=tuple(sizes), md5=digest.hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRun:
    """Chunks next to one another, seen as the bytes of one file.

    Chunk numbers count from 1, as users count them; `first_number` is None for audio that is not a chunk.
    """

    chunks: tuple[OpenChunk, ...]
    sizes_bytes: tuple[int, ...]
    first_number: int | None

    @classmethod
    def of(cls, measured: MeasuredChunks, start: int, stop: int) -> "ChunkRun":
        return cls(
            chunks=measured.chunks[start:stop],
            sizes_bytes=measured.sizes_bytes[start:stop],
            first_number=start + 1,
        )

    @classmethod
    def of_file(cls, open_audio: OpenChunk) -> "ChunkRun":
        """A file as it is. Raises OSError when it cannot be opened."""
        with open_audio() as reader:
            size = reader.seek(0, os.SEEK_END)
        return cls(chunks=(open_audio,), sizes_bytes=(size,), first_number=None)

    @property
    def size_bytes(self) -> int:
        return sum(self.sizes_bytes)

    def spans(self) -> Iterator[tuple[int, range]]:
        """Every chunk's number and the range of bytes that it fills."""
        ends = accumulate(self.sizes_bytes)
        for index, (size, end) in enumerate(zip(self.sizes_bytes, ends, strict=True)):
            yield (self.first_number or 1) + index, range(end - size, end)

    @contextmanager
    def open(self) -> Iterator["ChunkReader"]:
        """A buffered reader over the run.

        Raises the OSError that a read met, even if the code that was reading took it for the end of the file: decoders
        do, and the recording would be silently cut short.
        """
        joined = _JoinedChunks(self.chunks, self.sizes_bytes)
        with ChunkReader(joined) as reader:
            try:
                yield reader
            finally:
                # In a `finally`, so that it also replaces the decoder's own error about what it read.
                if joined.failure is not None:
                    raise joined.failure


class ChunkReader(io.BufferedReader):
    """A reader over chunks that knows how many bytes they have together."""

    def __init__(self, joined: "_JoinedChunks") -> None:
        super().__init__(joined, READ_SIZE_BYTES)
        self.size_bytes = joined.size_bytes


class _JoinedChunks(io.RawIOBase):
    def __init__(self, chunks: Sequence[OpenChunk], sizes: Sequence[int]) -> None:
        super().__init__()
        self._chunks = chunks
        self._starts = [0, *accumulate(sizes)]
        self._position = 0
        self._index: int | None = None
        self._reader: BinaryIO | None = None
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
            block = self._at(index).read(wanted)
            if not block:
                raise OSError(f"A chunk is now shorter than the {self._starts[index + 1]} bytes measured before.")  # noqa: TRY301 - one place keeps the failure
        except OSError as error:
            self.failure = error
            raise
        buffer[: len(block)] = block
        self._position += len(block)
        return len(block)

    def _at(self, index: int) -> BinaryIO:
        if self._reader is None or self._index != index:
            self._close_chunk()
            self._reader = self._chunks[index]()
            self._index = index
        self._reader.seek(self._position - self._starts[index])
        return self._reader

    def close(self) -> None:
        self._close_chunk()
        super().close()

    def _close_chunk(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = None
