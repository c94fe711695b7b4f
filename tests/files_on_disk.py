"""What is on the disk below a folder, also while a running service makes and deletes files and folders there."""

import os
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path


def files_below(folder: Path) -> Iterator[Path]:
    """Each file that is there when its folder is looked at; a folder that is gone by then is passed over."""
    for parent, _, names in os.walk(folder):  # unlike Path.rglob, which raises when a folder has gone
        yield from (Path(parent, name) for name in names)


def content_below(folder: Path, pattern: str = "*") -> bytes:
    """What all files with such names hold, in no order, as someone who has the disk would read them."""
    return b"".join(_contents(folder, pattern))


def disk_bytes(folder: Path) -> int:
    """What the folder's files take on the disk, without the holes in them."""
    total = 0
    for path in files_below(folder):
        with suppress(FileNotFoundError):
            total += path.stat().st_blocks * 512
    return total


def _contents(folder: Path, pattern: str) -> Iterator[bytes]:
    for path in files_below(folder):
        if fnmatch(path.name, pattern) and not path.is_socket():
            with suppress(FileNotFoundError):
                yield path.read_bytes()
