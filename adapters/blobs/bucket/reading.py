"""Reads one blob from the bucket, range by range: no connection stays open for a slow reader."""

from collections.abc import Callable

from adapters.blobs.bucket.bucket import Bucket
from adapters.blobs.bucket.index import Place
from adapters.blobs.port import BlobNotFound
from adapters.seekable import SeekableReader

BLOCK_BYTES = 1024 * 1024


class BlobInBucket(SeekableReader):
    """Can be sought in. If the blob is moved to another object meanwhile, it is looked for again with `locate`."""

    def __init__(self, bucket: Bucket, key: str, locate: Callable[[str], Place]) -> None:
        """Raises: BlobNotFound, StorageUnavailable."""
        super().__init__()
        self._bucket = bucket
        self._key = key
        self._locate = locate
        self._place = locate(key)

    @property
    def size_bytes(self) -> int:
        return self._place.size_bytes

    def block(self, start: int, length: int) -> bytes:
        """At most `length` bytes from `start` in the blob; empty at its end."""
        length = max(0, min(length, self.size_bytes - start))
        while True:
            try:
                return self._read(start, length)
            except BlobNotFound:
                before, self._place = self._place, self._locate(self._key)
                if self._place == before:
                    raise

    def _read(self, start: int, length: int) -> bytes:
        return self._bucket.read(self._place.object, self._place.offset + start, length, key=self._key)

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        block = self.block(self.position, min(len(buffer), BLOCK_BYTES))
        buffer[: len(block)] = block
        self.position += len(block)
        return len(block)
