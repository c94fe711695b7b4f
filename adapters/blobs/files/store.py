"""Local disk as a blob store, one file per blob: durable (file and directories fsynced) and published atomically.

A body is hashed and written to a temporary file under `.incoming/`, synced, and renamed to its key; then its directory
is synced. A crash leaves either the whole blob or a temporary file, which `recover` removes.
"""

import errno
import os
import secrets
import stat
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, TypeVar

from adapters.blobs.digests import Digests
from adapters.blobs.files.arrival import Arrival
from adapters.blobs.port import (
    BlobNotFound,
    BlobTooLarge,
    DurableBlob,
    StoredBlob,
    checked_beginning,
    checked_key,
    checked_prefix,
)
from adapters.blobs.storage_errors import storage_errors
from adapters.blobs.threads import Threads
from adapters.durable_files import FILE_MODE, Directories, sync_directory, sync_or_throw_away

T = TypeVar("T")

BLOCK_BYTES = 512 * 1024
"""How much is gathered, written or read per hop to a thread: a 64 KiB chunk costs one, and memory stays flat."""


class FileBlobStore:
    """Blobs under one directory. Any number of processes may use it; one of them owns it and calls `recover`."""

    def __init__(self, root: Path, *, threads: int = 16) -> None:
        self._root = root.absolute()
        self._incoming = self._root / ".incoming"
        self._directories = Directories(self._root)
        self._threads = Threads(threads)
        with storage_errors():
            self._directories.make_root()
            self._directories.make_durable(self._incoming)

    async def put(
        self,
        prefix: str,
        body: AsyncIterable[bytes],
        *,
        limit_bytes: int | None = None,
        check: Callable[[StoredBlob], None] | None = None,
    ) -> StoredBlob:
        arrival = self.arrival(prefix, check)
        gathered, size_bytes = bytearray(), 0
        try:
            async for piece in body:
                size_bytes += len(piece)
                _refuse_above(limit_bytes, size_bytes)
                gathered += piece
                if len(gathered) >= BLOCK_BYTES:
                    await self.in_thread(arrival.write, gathered)
                    gathered = bytearray()
            return await self.in_thread(arrival.publish, gathered)
        except BaseException:
            if self._threads.are_closed:
                arrival.discard()
            elif arrival.has_file:  # unlinking a large file takes time, too
                await self.in_thread(arrival.discard)
            raise

    @asynccontextmanager
    async def stage(
        self,
        prefix: str,
        body: AsyncIterable[bytes],
        *,
        limit_bytes: int | None = None,
        announced_bytes: int | None = None,  # noqa: ARG002 - the port's; nothing is reserved here
        check: Callable[[StoredBlob], None] | None = None,
    ) -> AsyncIterator[DurableBlob]:
        """See `BlobStore.stage`: each body has its own sync, and is durable on entry."""
        yield DurableBlob(await self.put(prefix, body, limit_bytes=limit_bytes, check=check))

    def put_bytes(self, prefix: str, body: bytes) -> StoredBlob:
        arrival = self.arrival(prefix)
        try:
            return arrival.publish(body)
        except BaseException:
            arrival.discard()
            raise

    def put_file(self, prefix: str, path: Path) -> StoredBlob:
        checked_prefix(prefix)
        digests = Digests()
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with storage_errors():
            try:
                while block := os.read(descriptor, BLOCK_BYTES):
                    digests.update(block)
                os.fchmod(descriptor, FILE_MODE)
                sync_or_throw_away(descriptor, path)
            finally:
                os.close(descriptor)
            blob = digests.blob(prefix)
            try:
                self._directories.publish(path, self._root / blob.key)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._copy(prefix, path)
                path.unlink()
        return blob

    def open(self, key: str) -> BinaryIO:
        path = self._path(key)
        with storage_errors(reading=key):
            return path.open("rb")

    async def read(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        if start < 0 or (length is not None and length < 0):
            raise ValueError("A range must not have a negative start or length.")
        opened = _Reader(key, self._path(key))
        left = length
        try:
            while True:
                wanted = BLOCK_BYTES if left is None else min(left, BLOCK_BYTES)
                block = await self.in_thread(opened.block, start, wanted)
                if block:
                    yield block
                start += len(block)
                left = None if left is None else left - len(block)
                if left == 0 or len(block) < wanted:
                    return
        finally:
            opened.close()

    async def size(self, key: str) -> int:
        return await self.in_thread(self._size, key, self._path(key))

    async def direct_url(self, key: str, lasting: timedelta) -> str | None:  # noqa: ARG002 - there is none
        return None

    async def delete(self, key: str) -> None:
        await self.in_thread(self._delete, self._path(key))

    async def erase(self, prefix: str) -> int:
        return await self.in_thread(self._erase, checked_beginning(prefix))

    async def erase_keys(self, keys: Sequence[str]) -> None:
        await self.in_thread(self._delete_all, [self._path(key) for key in keys])

    def keys(self, prefix: str = "") -> Iterator[str]:
        return self._keys(checked_beginning(prefix))

    async def check_writable(self) -> None:
        await self.in_thread(self._write_and_remove)

    def recover(self) -> int:
        with storage_errors():
            leftovers = list(self._incoming.iterdir())
            for leftover in leftovers:
                leftover.unlink()
        return len(leftovers)

    async def close(self) -> None:
        await self._threads.close()

    async def in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await self._threads.run(work, *arguments)

    def arrival(self, prefix: str, check: Callable[[StoredBlob], None] | None = None) -> Arrival:
        temporary = self._incoming / secrets.token_hex(16)
        return Arrival(self._root, temporary, self._directories, checked_prefix(prefix), check)

    def _copy(self, prefix: str, path: Path) -> None:
        arrival = self.arrival(prefix)
        try:
            with path.open("rb", buffering=0) as source:
                while block := source.read(BLOCK_BYTES):
                    arrival.write(block)
            arrival.publish(b"")
        except BaseException:
            arrival.discard()
            raise

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    def _size(self, key: str, path: Path) -> int:
        with storage_errors(reading=key):
            status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BlobNotFound(key)
        return status.st_size

    def _delete(self, path: Path) -> None:
        self._delete_all([path])

    def _delete_all(self, paths: Sequence[Path]) -> None:
        with storage_errors():
            for path in paths:
                # A directory is not a blob; and one whose entry is gone already may have to be made durably gone.
                with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                    path.unlink()
            for directory in {path.parent for path in paths}:
                with suppress(FileNotFoundError, NotADirectoryError):
                    sync_directory(directory)

    def _erase(self, prefix: str) -> int:
        keys = list(self._keys(prefix))
        with storage_errors():
            for key in keys:
                with suppress(FileNotFoundError):
                    self._path(key).unlink()
            # Also where nothing was found: an earlier call may have failed after it had unlinked everything.
            for directory, below, _ in os.walk(self._root / prefix.rpartition("/")[0]):
                sync_directory(Path(directory))
                below[:] = [name for name in below if not name.startswith(".")]
        return len(keys)

    def _keys(self, prefix: str) -> Iterator[str]:
        waiting = [prefix.rpartition("/")[0]]
        with storage_errors():
            while waiting:
                directory = waiting.pop()
                for entry in _entries(self._root / directory):
                    key = f"{directory}/{entry.name}" if directory else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if key.startswith(prefix[: len(key)]):
                            waiting.append(key)
                    elif key.startswith(prefix):
                        yield key

    def _write_and_remove(self) -> None:
        arrival = self.arrival("")
        try:
            arrival.write(bytes(64 * 1024))
            arrival.sync()
        finally:
            arrival.discard()


def _refuse_above(limit_bytes: int | None, size_bytes: int) -> None:
    if limit_bytes is not None and size_bytes > limit_bytes:
        raise BlobTooLarge(limit_bytes)


class _Reader:
    """A blob opened when the first block is requested, so that this happens in the thread, too."""

    def __init__(self, key: str, path: Path) -> None:
        self._key = key
        self._path = path
        self._descriptor: int | None = None

    def block(self, start: int, length: int) -> bytes:
        with storage_errors(reading=self._key):
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._descriptor, length, start)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


def _entries(directory: Path) -> Iterator[os.DirEntry[str]]:
    """What is in there, except hidden names, which are not blobs."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory) as entries:
        yield from (entry for entry in entries if not entry.name.startswith("."))
