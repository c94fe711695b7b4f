"""A body's way onto a local disk: hashed, written, synced, renamed to its place, and the directory synced."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from adapters.blobs.store import BlobNotFound, StorageFull, StorageUnavailable, StoredBlob

Buffer: TypeAlias = bytes | bytearray

FILE_MODE, DIRECTORY_MODE = 0o600, 0o700
_DURABLE_DIRECTORIES_KEPT = 10_000


class Arrival:
    """One body on its way in: hashed, written to a temporary file, and then published or thrown away."""

    def __init__(
        self,
        root: Path,
        temporary: Path,
        directories: "Directories",
        prefix: str,
        check: Callable[[StoredBlob], None] | None,
    ) -> None:
        self._root = root
        self._temporary = temporary
        self._directories = directories
        self._prefix = prefix
        self._check = check
        self._digests = Digests()
        self._descriptor: int | None = None
        self.has_file = False

    def write(self, block: Buffer) -> None:
        self._digests.update(block)
        self._append(block)

    def publish(self, last_block: Buffer) -> StoredBlob:
        """Everything that is left to do, in one go: a small body goes through here alone."""
        self._digests.update(last_block)
        blob = self._digests.blob(self._prefix)
        if self._check is not None:
            self._check(blob)
        self._append(last_block)
        self.sync()
        with storage_errors():
            self._directories.publish(self._temporary, self._root / blob.key)
        self.has_file = False
        return blob

    def written(self) -> bytes:
        """What has been written up to now; for a body that is small."""
        with storage_errors():
            return self._temporary.read_bytes()

    def sync(self) -> None:
        with storage_errors():
            sync_or_throw_away(self._file(), self._temporary)
            self._close()

    def discard(self) -> None:
        """Never fails: what cannot be removed now is a leftover, as after a crash."""
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            if self.has_file:
                self._temporary.unlink()
        self.has_file = False

    def _append(self, block: Buffer) -> None:
        with storage_errors():
            file = self._file()
            left = memoryview(block)
            while left:
                left = left[os.write(file, left) :]

    def _file(self) -> int:
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._descriptor = os.open(self._temporary, flags, FILE_MODE)
            self.has_file = True
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)


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


class Directories:
    """Makes directories that survive a crash, and remembers which ones do.

    One that exists already is synced too when it is first met: whoever made it may have crashed before doing so.
    They are never removed again, or what is remembered here could be wrong in another process.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._durable: set[Path] = set()

    def make_root(self) -> None:
        missing = [path for path in (self._root, *self._root.parents) if not path.exists()]
        for path in reversed(missing):
            _make_directory(path)
        with suppress(PermissionError):  # an existing root's parent may be somebody else's, and not for us to open
            sync_directory(self._root.parent)

    def make_durable(self, path: Path) -> None:
        if path == self._root or path in self._durable:
            return
        self.make_durable(path.parent)
        _make_directory(path)
        if len(self._durable) >= _DURABLE_DIRECTORIES_KEPT:
            self._durable.clear()
        self._durable.add(path)

    def publish(self, temporary: Path, final: Path) -> None:
        """Move a synced file to its place, durably. What lies there already has the same bytes."""
        self.make_durable(final.parent)
        try:
            temporary.replace(final)
        except FileNotFoundError:  # somebody has tidied up behind our back: the next try makes it anew
            self._durable.clear()
            raise
        sync_directory(final.parent)


def sync_or_throw_away(descriptor: int, path: Path) -> None:
    """After a failed fsync the kernel may call lost pages clean, and a second fsync would succeed: never try it."""
    try:
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise


def _make_directory(path: Path) -> None:
    with suppress(FileExistsError):
        path.mkdir(DIRECTORY_MODE)
    try:
        sync_directory(path.parent)
    except OSError:
        with suppress(OSError):  # so that the next try makes it anew, instead of syncing once more what was lost
            path.rmdir()
        raise


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def storage_errors(*, reading: str | None = None) -> Iterator[None]:
    """The system's errors as the port's. Given the key that is being read, what is not there is BlobNotFound."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        if reading is not None:
            raise BlobNotFound(reading) from error
        raise StorageUnavailable(_reason(error)) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        raise StorageUnavailable(_reason(error)) from error


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
