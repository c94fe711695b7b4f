"""Keeps the quotas that the operator has set for single projects, in SQLite or PostgreSQL. Durable on return.

It works while the service runs: what `set_for` has written is in force from the next request on, in every process.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from adapters.database.opening import open_database
from adapters.database.port import Place

_SCHEMA = (
    """CREATE TABLE quotas (
        project_id TEXT NOT NULL,
        quota TEXT NOT NULL,
        most INTEGER,
        PRIMARY KEY (project_id, quota)
    ) STRICT, WITHOUT ROWID""",
)


class Quota(StrEnum):
    """What a project may have only so much of."""

    BYTES = "bytes"
    OPEN_RECORDINGS = "open_recordings"
    RECORDINGS = "recordings"
    WAITING_NOTES = "waiting_notes"
    SESSIONS = "sessions"
    WEBHOOKS = "webhooks"
    END_USERS = "end_users"
    DEVICES = "devices"


Most = Mapping[Quota, int | None]
"""The most that a project may have of each; None: no limit."""


BY_NAME = {quota.value: quota for quota in Quota}
"""Rows with other names are a newer version's."""


class QuotaStore:
    """Blocking, and quick; for any thread. Raises: DatabaseFull; DatabaseUnavailable."""

    def __init__(self, place: Place) -> None:
        """Raises: also DatabaseTooNew, for a file; sqlite3.Error; OSError."""
        self._database = open_database(place, durable=True)
        try:
            self._database.prepare((_SCHEMA,))
        except BaseException:
            self._database.close()
            raise

    @property
    def answers_at_once(self) -> bool:
        """Whether an event loop may look something up."""
        return self._database.answers_at_once

    def of(self, project_id: str) -> Most:
        """Those that are set for the project alone."""
        with self._database.reading() as tables:
            rows = tables.execute("SELECT quota, most FROM quotas WHERE project_id=?", (project_id,)).fetchall()
        return {BY_NAME[name]: most for name, most in rows if name in BY_NAME}

    def of_each(self, project_ids: Sequence[str]) -> list[Most]:
        """The same of several projects, in their order, read at once."""
        marks = ",".join("?" * len(project_ids))
        with self._database.reading() as tables:
            found = _by_project(tables.execute(f"{_ALL} WHERE project_id IN ({marks})", project_ids).fetchall())
        return [found.get(project_id, {}) for project_id in project_ids]

    def all(self) -> Mapping[str, Most]:
        """By project, of those for which any is set."""
        with self._database.reading() as tables:
            return _by_project(tables.execute(_ALL).fetchall())

    def set_for(self, project_id: str, quota: Quota, most: int | None) -> None:
        """From now on, the project may have at most `most`; for None, any number."""
        with self._database.writing() as tables:
            tables.execute(
                "INSERT INTO quotas VALUES (?,?,?) ON CONFLICT (project_id, quota) DO UPDATE SET most=excluded.most",
                (project_id, quota, most),
            )

    def reset(self, project_id: str, quota: Quota | None = None) -> None:
        """The settings are in force for the project again: this quota's, or for None, those of all."""
        with self._database.writing() as tables:
            if quota is None:
                tables.execute("DELETE FROM quotas WHERE project_id=?", (project_id,))
            else:
                tables.execute("DELETE FROM quotas WHERE project_id=? AND quota=?", (project_id, quota))

    def close(self) -> None:
        """Wait for current reads and writes, then close the file."""
        self._database.close()


_ALL = "SELECT project_id, quota, most FROM quotas"


def _by_project(rows: Sequence[tuple[Any, ...]]) -> dict[str, Most]:
    found: dict[str, dict[Quota, int | None]] = {}
    for project_id, name, most in rows:
        if name in BY_NAME:
            found.setdefault(project_id, {})[BY_NAME[name]] = most
    return dict(found)
