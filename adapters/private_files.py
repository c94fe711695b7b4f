"""Files and directories that only their owner can read, either complete or absent, even after a power cut."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from adapters.durable_files import FILE_MODE, Directories, sync_directory


class DamagedKey(Exception):
    """A key file that contains no key. `str()` is one sentence, for whoever starts the service."""

    def __init__(self, path: Path, expected: str, if_lost: str) -> None:
        super().__init__(f"{path} is not {expected}; restore it, or remove it: then a new one is made, and {if_lost}.")


def load_or_create_key(path: Path, size_bytes: int, *, name: str, if_lost: str) -> bytes:
    """The random key in the file, which is created if missing.

    `name`, and `if_lost`, which says what a new key costs, are for the error. Raises: DamagedKey; OSError.
    """
    key = load_or_create(path, lambda: secrets.token_bytes(size_bytes))
    if len(key) != size_bytes:  # anyone could sign with an empty key
        raise DamagedKey(path, f"a {name} of {size_bytes} bytes", if_lost)
    return key


def load_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's content; what `make` returns if there is no file yet. Raises: OSError."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    unfinished = _write_unfinished(path, make())
    try:
        with suppress(FileExistsError):  # another process was faster: what it wrote is there
            os.link(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_directory(path.parent)
    return path.read_bytes()


def write_private_file(path: Path, content: bytes) -> None:
    """Replace or create the file. It is durable on return, and never half-written. Raises: OSError."""
    _write_unfinished(path, content).replace(path)
    sync_directory(path.parent)


def _write_unfinished(path: Path, content: bytes) -> Path:
    """A synced file beside its future place. One that a crash left is replaced: the data directory has one process at
    a time."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return unfinished


def make_private_directory(path: Path) -> None:
    """Make the directory and any missing ones above it. Raises: OSError."""
    Directories(path).make_root()
