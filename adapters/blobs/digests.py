"""The digests of a body, and the blob that they make of it."""

import hashlib
from typing import TypeAlias

from adapters.blobs.port import StoredBlob

Buffer: TypeAlias = bytes | bytearray


class Digests:
    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)  # the protocols' ETag and Content-MD5
        self._size_bytes = 0

    def update(self, block: Buffer) -> None:
        self._sha256.update(block)
        self._md5.update(block)
        self._size_bytes += len(block)

    def blob(self, prefix: str) -> StoredBlob:
        sha256 = self._sha256.hexdigest()
        return StoredBlob(prefix + sha256, self._size_bytes, sha256, self._md5.hexdigest())
