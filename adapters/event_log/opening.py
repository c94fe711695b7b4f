"""Opens the event log that a URL names: the only place that knows which event stores there are, and where.

`sqlite:///PATH` is one file, `postgresql://…/DATABASE` one database; either holds the log and its snapshots.
"""

from dataclasses import dataclass

from adapters.event_log.port import COPY_OF, CopyRecorder, LogUnavailable
from adapters.event_log.snapshots import SnapshotStore
from adapters.event_log.sqlite import SQLiteLogRecorder, SQLiteSnapshotRecorder
from adapters.event_log.url import is_postgres, place_of, sqlite_path
from adapters.private_files import make_private_directory


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """A log's store, and the store of the snapshots of its streams."""

    recorder: CopyRecorder
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
    """The log that the URL names; if there is none, it is created: a file with a private directory around it.

    Raises: NoEventLog instead, if it `must_exist`; LogUnavailable, also for the unfinished copy of another log;
    OSError; ValueError for a URL of another kind.
    """
    if must_exist:
        require_log(url)
    log = _opened(url)
    if log.recorder.identity.startswith(COPY_OF):
        log.close()
        raise LogUnavailable(
            f"The event log at {place_of(url)} is a copy that is not complete: run `tapedeck copy --last` first."
        )
    return log


def open_copy(url: str) -> CopyRecorder:
    """The log that the URL names, created if there is none, also if it is an unfinished copy. Raises: as `open_log`."""
    return _opened(url).recorder


def _opened(url: str) -> OpenedLog:
    if is_postgres(url):
        from adapters.event_log import postgres  # noqa: PLC0415 - the embedded profile does without its import

        log = postgres.PostgresLogRecorder(url)
        return OpenedLog(log, SnapshotStore(postgres.PostgresSnapshotRecorder(log)))
    path = sqlite_path(url)
    make_private_directory(path.parent)
    recorder = SQLiteLogRecorder(path)
    try:
        return OpenedLog(recorder, SnapshotStore(SQLiteSnapshotRecorder(recorder)))
    except LogUnavailable:
        recorder.close()
        raise


def require_log(url: str) -> None:
    """Raises: NoEventLog if there is no log at the URL; LogUnavailable if it cannot be asked."""
    if is_postgres(url):
        from adapters.event_log import postgres  # noqa: PLC0415

        exists = postgres.has_log(url)
    else:
        exists = sqlite_path(url).exists()
    if not exists:
        raise NoEventLog(place_of(url))
