"""The data directory: one process's own, and the place where workers build files."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.private_files import make_private_directory


class DataDirInUse(Exception):
    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"Another tapedeck is running on {data_dir}; stop it, or give this one another TAPEDECK_DATA_DIR."
        )


ENDING_SECONDS = 10.0
"""How long to wait for the processes of a killed service, which end by themselves."""


@contextmanager
def owned_data_dir(data_dir: Path) -> Iterator[None]:
    """The directory is this process's until the block ends or the process is killed: the lock dies with it.

    Raises: DataDirInUse; OSError.
    """
    make_private_directory(data_dir)
    with _locked(data_dir, "lock", wait_seconds=0):
        if (data_dir / "processes").exists():
            with locked_for_processes(data_dir):
                pass
        yield


@contextmanager
def locked_for_processes(data_dir: Path) -> Iterator[int]:
    """A file for the processes that the directory's owner starts: as long as one of them has it open, the directory is
    nobody else's, also if its owner was killed. Raises: DataDirInUse; OSError."""
    with _locked(data_dir, "processes", wait_seconds=ENDING_SECONDS) as lock:
        yield lock


@contextmanager
def _locked(data_dir: Path, name: str, *, wait_seconds: float) -> Iterator[int]:
    lock = os.open(data_dir / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait_seconds
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise DataDirInUse(data_dir) from None
                time.sleep(0.02)
        yield lock
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
