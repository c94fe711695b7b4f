"""Files and directories on a local disk that survive a power cut: they are synced, and so is their directory."""

import os
from contextlib import suppress
from pathlib import Path

FILE_MODE, DIRECTORY_MODE = 0o600, 0o700
_DURABLE_DIRECTORIES_KEPT = 10_000


class Directories:
    """Creates directories that survive a crash, and remembers which ones do.

    An existing one is also synced when it is first met: its creator may have crashed before doing so. They are never
    removed again, or what is remembered here could be wrong in another process.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._durable: set[Path] = set()

    def make_root(self) -> None:
        missing = [path for path in (self._root, *self._root.parents) if not path.exists()]
        for path in reversed(missing):
            _make_directory(path)
        with suppress(PermissionError):  # an existing root's parent may be somebody else's, which we may not open
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
        """Move a synced file to its place, durably. A file already there has the same bytes."""
        self.make_durable(final.parent)
        try:
            temporary.replace(final)
        except FileNotFoundError:  # removed by somebody else: the next try makes it anew
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
        with suppress(OSError):  # so that the next try makes it anew instead of syncing lost pages again
            path.rmdir()
        raise


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
