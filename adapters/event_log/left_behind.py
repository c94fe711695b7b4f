"""Finds a log in a file that would be left behind by a service with another log.

What other stores keep belongs to one log: positions in it, and names of its recordings. With another log they would be
wrong, and nobody would notice: events up to such a position are told to nobody.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from adapters.event_log.url import is_postgres, place_of
from adapters.sqlite_file import LOCK_TIMEOUT_SECONDS


def check_no_log_left_behind(path: Path, url: str) -> None:
    """`path`: the file that the log is in without PostgreSQL. Raises: ValueError, one sentence for the operator."""
    if not is_postgres(url) or not path.exists():
        return
    try:
        has_events = _has_events(path)
    except sqlite3.Error as error:
        raise ValueError(f"{path} may be this service's event log, and cannot be read: {error}") from error
    if has_events:
        raise ValueError(
            f"{path} is an event log with events, and not moved to {place_of(url)} by a start: set TAPEDECK_DATA_DIR "
            f"to a new directory and run `tapedeck copy --from {path.parent}` to take all of it there, unset "
            "TAPEDECK_DATABASE_URL to go on with it, or, if all its recordings are in PostgreSQL already, move the "
            "file away"
        )


def _has_events(path: Path) -> bool:
    with closing(
        sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=LOCK_TIMEOUT_SECONDS)
    ) as file:
        if file.execute("SELECT 1 FROM sqlite_master WHERE name='stored_events'").fetchone() is None:
            return False
        return file.execute("SELECT 1 FROM stored_events LIMIT 1").fetchone() is not None
