"""The data directory: one process's own, and the place where workers build files."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.private_files import make_private_directory


class DataDirInUse(Exception):
    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"Another tapedeck is running on {data_dir}; stop it, or give this one another TAPEDECK_DATA_DIR."
        )


@contextmanager
def owned_data_dir(data_dir: Path) -> Iterator[None]:
    """The directory is this process's until the block ends or the process is killed: the lock dies with it.

    Raises: DataDirInUse; OSError.
    """
    make_private_directory(data_dir)
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirInUse(data_dir) from None
        yield
    finally:
        os.close(lock)


def scratch_dir(data_dir: Path) -> Path:
    """Where workers build files, on the disk where they stay."""
    return data_dir / "scratch"


def empty_scratch_dir(data_dir: Path) -> Path:
    """That directory. What a crash left there is deleted."""
    scratch = scratch_dir(data_dir)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    return scratch
