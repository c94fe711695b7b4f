"""Files and directories that only their owner can read, whole or not there at all, also after a power cut."""

import os
from pathlib import Path

from adapters.durable_files import Directories, sync_directory


def make_private_directory(path: Path) -> None:
    """Make the directory and those above it that are missing. Raises: OSError."""
    Directories(path).make_root()


def write_private_file(path: Path, content: bytes) -> None:
    """Replace or make the file. It is durable on return, and never half-written. Raises: OSError."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_directory(path.parent)
