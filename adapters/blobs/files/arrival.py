"""A body's way onto a local disk: hashed, written, synced, renamed to its place, and the directory synced."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from adapters.blobs.digests import Buffer, Digests
from adapters.blobs.port import StoredBlob
from adapters.blobs.storage_errors import storage_errors
from adapters.durable_files import FILE_MODE, Directories, sync_or_throw_away


class Arrival:
    """One body on its way in: hashed, written to a temporary file, and then published or thrown away."""

    def __init__(
        self,
        root: Path,
        temporary: Path,
        directories: Directories,
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
        """Everything left to do, in one call: a small body needs no other."""
        blob = self.finish(last_block)
        self.sync()
        with storage_errors():
            self._directories.publish(self._temporary, self._root / blob.key)
        self.has_file = False
        return blob

    def finish(self, last_block: Buffer) -> StoredBlob:
        """The last block is in the file, unsynced, and the body has passed its check."""
        self._digests.update(last_block)
        blob = self._digests.blob(self._prefix)
        if self._check is not None:
            self._check(blob)
        self._append(last_block)
        return blob

    def written(self) -> bytes:
        """What has been written so far; for small bodies."""
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
