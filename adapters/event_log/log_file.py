"""Reads a log in a SQLite file without writing to it, also while a service does."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from eventsourcing.persistence import Notification

from adapters.event_log.port import LogUnavailable
from adapters.sqlite_file import LOCK_TIMEOUT_SECONDS

_AFTER = """
SELECT rowid, originator_id, originator_version, topic, state FROM stored_events WHERE rowid > ? ORDER BY rowid LIMIT ?
"""


class LogFile:
    """For one thread. Raises: LogUnavailable."""

    def __init__(self, path: Path) -> None:
        """Raises: LogUnavailable, also for a file that is no log."""
        with _errors_named():
            self._file = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=LOCK_TIMEOUT_SECONDS, isolation_level=None
            )
        try:
            with _errors_named():
                (self.identity,) = self._file.execute("SELECT id FROM log_identity").fetchone()
        except BaseException:
            self._file.close()
            raise

    @property
    def head(self) -> int:
        """The position of the last event; 0 if there is none."""
        with _errors_named():
            (position,) = self._file.execute("SELECT coalesce(max(rowid), 0) FROM stored_events").fetchone()
        return int(position)

    def after(self, position: int, limit: int) -> Sequence[Notification]:
        """At most `limit` events after the position, in order; none at the end."""
        with _errors_named():
            rows = self._file.execute(_AFTER, (position, limit)).fetchall()
        return [
            Notification(UUID(stream_id), version, topic, state, at) for at, stream_id, version, topic, state in rows
        ]

    def close(self) -> None:
        self._file.close()


@contextmanager
def _errors_named() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise LogUnavailable(f"The log that is to be copied cannot be read: {error}.") from error
