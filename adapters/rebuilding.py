"""What views that are made from the log share: who may write into them, and that one rebuild runs at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class PositionMoved(Exception):
    """Another writer has moved the view; read its position again and continue from there."""


class OtherSchema(Exception):
    """A version that makes other rows has made the view, so this one leaves it alone. `str()` is one sentence.

    `view`: what it is called, to begin the sentence.
    """

    def __init__(self, view: str) -> None:
        super().__init__(f"{view} was made by another version, in another shape.")


class RebuildRunning(Exception):
    def __init__(self) -> None:
        super().__init__("The view is already being rebuilt; wait for that to finish.")


@contextmanager
def one_rebuild(view: Path) -> Iterator[None]:
    """Two at once would write to the same new rows. The lock ends with its process. Raises: RebuildRunning."""
    lock = os.open(view.with_name(f"{view.name}.rebuild"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise RebuildRunning from None
    finally:
        os.close(lock)
