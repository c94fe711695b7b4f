"""Reads one blob from the bucket, range by range: no connection stays open for a slow reader."""

import io
from collections.abc import Callable

from adapters.blobs.bucket.bucket import Bucket
from adapters.blobs.bucket.index import Place
from adapters.blobs.port import BlobNotFound

BLOCK_BYTES = 1024 * 1024


class BlobInBucket(io.RawIOBase):
    """Can be sought in. If the blob is moved to another object meanwhile, it is looked for again with `locate`."""

    def __init__(self, bucket: Bucket, key: str, locate: Callable[[str], Place]) -> None:
        """Raises: BlobNotFound, StorageUnavailable."""
        super().__init__()
        self._bucket = bucket
        self._key = key
        self._locate = locate
        self._place = locate(key)
        self._position = 0

    @property
    def size_bytes(self) -> int:
        return self._place.size_bytes

    def block(self, start: int, length: int) -> bytes:
        """At most `length` bytes from `start` in the blob; empty at its end."""
        length = max(0, min(length, self.size_bytes - start))
        try:
            return self._read(start, length)
        except BlobNotFound:
            self._place = self._locate(self._key)
            return self._read(start, length)

    def _read(self, start: int, length: int) -> bytes:
        return self._bucket.read(self._place.object, self._place.offset + start, length, key=self._key)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size_bytes}[whence]
        if base + offset < 0:
            raise ValueError("a position before the first byte")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        block = self.block(self._position, min(len(buffer), BLOCK_BYTES))
        buffer[: len(block)] = block
        self._position += len(block)
        return len(block)
