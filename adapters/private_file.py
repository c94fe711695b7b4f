"""A small file that only its owner can read, made durably on its first use: keys that stay on this machine."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from adapters.durable_files import sync_directory


def load_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """What is in the file; what `make` gives, if there is none yet."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(make())
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):  # another process was faster: its key is the key
        os.link(unfinished, path)
    unfinished.unlink(missing_ok=True)
    sync_directory(path.parent)
    return path.read_bytes()
