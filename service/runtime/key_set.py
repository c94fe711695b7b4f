"""A set of blobs' keys that fits in memory."""

import hashlib
from collections.abc import Iterable


class KeySet:
    """A set of keys, 16 bytes each: a million of them must fit."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._digests = {_short(key) for key in keys}

    def add(self, key: str) -> None:
        self._digests.add(_short(key))

    def __contains__(self, key: str) -> bool:
        return _short(key) in self._digests

    def __len__(self) -> int:
        return len(self._digests)


def _short(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=16).digest()
