"""Opens the event log that a URL names: the one place that knows which stores of events there are, and where they are.

`sqlite:///PATH` is one file, with the snapshots beside the log in it.
"""

from dataclasses import dataclass

from adapters.event_log.port import LogRecorder, LogUnavailable
from adapters.event_log.snapshots import SnapshotStore
from adapters.event_log.sqlite import SQLiteLogRecorder, SQLiteSnapshotRecorder
from adapters.event_log.url import sqlite_path
from adapters.private_files import make_private_directory


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """The store of a log, and that of the snapshots which were taken of its streams."""

    recorder: LogRecorder
    snapshots: SnapshotStore

    def close(self) -> None:
        self.recorder.close()


class NoEventLog(Exception):
    """Nothing has ever been recorded there. `str()` is one sentence."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place

    def __str__(self) -> str:
        return f"There is no event log at {self.place}."


def open_log(url: str, *, must_exist: bool = False) -> OpenedLog:
    """The log that the URL names, made with a private directory around it when there is none.

    Raises: NoEventLog instead, when it `must_exist`; LogUnavailable, OSError; ValueError for a URL of another kind.
    """
    path = sqlite_path(url)
    if must_exist:
        require_log(url)
    else:
        make_private_directory(path.parent)
    recorder = SQLiteLogRecorder(path)
    try:
        return OpenedLog(recorder, SnapshotStore(SQLiteSnapshotRecorder(recorder)))
    except LogUnavailable:
        recorder.close()
        raise


def require_log(url: str) -> None:
    """Raises: NoEventLog when there is no log where the URL says."""
    path = sqlite_path(url)
    if not path.exists():
        raise NoEventLog(str(path))
