"""The port to where bytes are stored: what every blob store promises, its values and its errors.

A blob is found by its key, `prefix + sha256`: the same bytes under the same prefix are the same blob, so putting
them again changes nothing. Once `put` has returned, the blob is durable; if it fails, there is no blob.
"""

import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from adapters.staged_bytes import StagedBytes


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """What is known of a blob once all its bytes have been read. Digests are lower-case hex."""

    key: str
    size_bytes: int
    sha256: str
    md5: str


class Staged(StagedBytes, Protocol):
    """A body that has been taken in. Its `keeper` makes it durable; it has none if it is durable already."""

    @property
    def blob(self) -> StoredBlob: ...


@dataclass(frozen=True, slots=True)
class DurableBlob:
    """A staged body that is already a blob."""

    blob: StoredBlob
    keeper: None = None

    @property
    def size_bytes(self) -> int:
        return self.blob.size_bytes


class BlobStore(Protocol):
    """Stores blobs. All methods may raise StorageFull and StorageUnavailable; for a bad key or prefix, InvalidBlobKey.

    The `async` methods never block the event loop; the others block, and are for worker processes and start-up.
    """

    async def put(
        self,
        prefix: str,
        body: AsyncIterable[bytes],
        *,
        limit_bytes: int | None = None,
        check: Callable[[StoredBlob], None] | None = None,
    ) -> StoredBlob:
        """Store a body as it streams in; it is durable on return. An empty body is a blob too.

        `check` gets the would-be blob before it is published, perhaps in another thread; what it raises is raised here.
        When this raises, whatever the reason (the body's own exception, cancellation, a full disk), the blob has not
        been acknowledged and no part of the body is left behind.

        Raises: BlobTooLarge beyond `limit_bytes`, without reading on.
        """
        ...

    def stage(
        self,
        prefix: str,
        body: AsyncIterable[bytes],
        *,
        limit_bytes: int | None = None,
        announced_bytes: int | None = None,
        check: Callable[[StoredBlob], None] | None = None,
    ) -> AbstractAsyncContextManager[Staged]:
        """Take a body in as `put` does, to be made durable together with the event that refers to it.

        A store that cannot wait has made the body durable on entry. A body whose `keeper` is never asked to make it
        durable was never stored. The end of the block releases the memory that the body took.

        `announced_bytes`: the body's size, if it is known in advance. Raises: as `put`.
        """
        ...

    def put_file(self, prefix: str, path: Path) -> StoredBlob:
        """Take over a finished local file, moving it if possible: afterwards it is no longer at `path`.

        If this raises, the file is still the caller's, unless it could not be synced: then it is thrown away, because
        after a failed fsync nobody can tell what is on the disk.
        """
        ...

    def put_bytes(self, prefix: str, body: bytes) -> StoredBlob:
        """Store these bytes; they are durable on return."""
        ...

    def open(self, key: str) -> BinaryIO:
        """A seekable reader, which the caller closes. Raises: BlobNotFound."""
        ...

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Stream `length` bytes from `start`, or to the end; fewer, or none, if the blob ends before.

        Raises: BlobNotFound when iterated, before the first block.
        """
        ...

    async def size(self, key: str) -> int:
        """The blob's size in bytes. Raises: BlobNotFound."""
        ...

    async def direct_url(self, key: str, lasting: timedelta) -> str | None:
        """A URL at which anybody can read the whole blob for so long; None if there is none, and `read` it must be.

        It works only if the blob exists, and until it is erased.
        """
        ...

    async def delete(self, key: str) -> None:
        """Remove the blob, durably. Removing what does not exist is no error."""
        ...

    async def erase(self, prefix: str) -> int:
        """Remove every blob whose key begins with `prefix`, durably; returns how many there were.

        On return their bytes are nowhere in the store any more. Erasing what does not exist is no error.
        """
        ...

    async def erase_keys(self, keys: Sequence[str]) -> None:
        """Remove these blobs, as `erase` does: many together cost little more than one."""
        ...

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin with `prefix`, in any order."""
        ...

    async def check_writable(self) -> None:
        """Prove, by doing it, that a body could be stored now."""
        ...

    def recover(self) -> int:
        """Clear away what a crash left unfinished; returns how many leftovers there were.

        For the process that owns the store, at its start, before anything is stored: another process's `put` that is
        still under way would look like a leftover.
        """
        ...

    async def close(self) -> None:
        """Let running work end and release threads and files."""
        ...


class BlobFailure(Exception):
    """What can go wrong with a blob. `str()` is one sentence that contains no path; all of them can be pickled."""


class BlobNotFound(BlobFailure):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"There is no blob {self.key!r}."


class InvalidBlobKey(BlobFailure):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        shown = self.key if len(self.key) <= 100 else self.key[:100] + "…"  # noqa: PLR2004 - enough to know it by
        return f"{shown!r} cannot be, or begin, a blob's key."


class BlobTooLarge(BlobFailure):
    def __init__(self, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return f"The body is larger than the {self.limit_bytes} bytes allowed."


class StorageFull(BlobFailure):
    def __str__(self) -> str:
        return "There is no room left to store this."


class StorageUnavailable(BlobFailure):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"The blob storage cannot be used: {self.reason}."


# 128 and 512 stay below the limits of file systems (255 per name, 4096 per path) and object stores (1024 per key). A
# segment begins with a letter or digit, so "..", hidden files and absolute paths cannot be spelled.
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,127})*")
MAX_KEY_LENGTH = 512
_ANY_SHA256 = "0" * 64


def checked_key(key: str) -> str:
    """The key itself, if it is valid. Raises: InvalidBlobKey."""
    if len(key) > MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise InvalidBlobKey(key)
    return key


def checked_prefix(prefix: str) -> str:
    """The prefix itself, if appending a digest makes a valid key. Raises: InvalidBlobKey."""
    if len(prefix) > MAX_KEY_LENGTH or not _KEY.fullmatch(prefix + _ANY_SHA256):
        raise InvalidBlobKey(prefix)
    return prefix


def checked_beginning(beginning: str) -> str:
    """The text itself, if some valid key begins with it. Raises: InvalidBlobKey."""
    if beginning and not _KEY.fullmatch(beginning) and not _KEY.fullmatch(beginning + "0"):
        raise InvalidBlobKey(beginning)
    return beginning
