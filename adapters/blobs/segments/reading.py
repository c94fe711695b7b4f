"""Reads one blob from a segment: a seekable reader, and blocks by position. Each read is one pread.

If the blob is erased while it is being read, it is not found, rather than read as zeros.
"""

import os
from pathlib import Path

from adapters.blobs.port import BlobNotFound
from adapters.blobs.segments.format import ERASED, STATE_OFFSET
from adapters.blobs.segments.index import Place
from adapters.blobs.storage_errors import storage_errors
from adapters.seekable import SeekableReader


class BlobInSegment(SeekableReader):
    """Open a blob at its place. Raises: BlobNotFound, StorageUnavailable."""

    def __init__(self, key: str, path: Path, place: Place) -> None:
        super().__init__()
        self._key = key
        self._place = place
        self._descriptor = -1
        with storage_errors(reading=key):
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def size_bytes(self) -> int:
        return self._place.size_bytes

    @property
    def start(self) -> int:
        """Where the blob begins in the file behind `fileno`."""
        return self._place.body_offset

    def block(self, start: int, length: int) -> bytes:
        """At most `length` bytes from `start` in the blob; empty at its end."""
        length = max(0, min(length, self.size_bytes - start))
        with storage_errors(reading=self._key):
            block = os.pread(self._descriptor, length, self.start + start)
            self.check_not_erased()
            return block

    def check_not_erased(self) -> None:
        """Prove that what was read before this call was not erased yet. Raises: BlobNotFound."""
        if os.pread(self._descriptor, 1, self._place.offset + STATE_OFFSET) == bytes([ERASED]):
            raise BlobNotFound(self._key)

    def fileno(self) -> int:
        return self._descriptor

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        block = self.block(self.position, len(buffer))
        buffer[: len(block)] = block
        self.position += len(block)
        return len(block)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        super().close()
