"""Keeps in SQLite the quotas that the operator has set for single projects. Durable on return; read by every process.

It works while the service runs: what `set_for` has written is in force from the next request on, in every process.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from adapters.sqlite_file import connect, errors_named, prepare_schema, writing

_SCHEMA = (
    """CREATE TABLE quotas (
        project_id TEXT NOT NULL,
        quota TEXT NOT NULL,
        most INTEGER,
        PRIMARY KEY (project_id, quota)
    ) STRICT, WITHOUT ROWID""",
)
_NAME = "The file of quotas"


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


class QuotaStore:
    """Blocking, and quick; for any thread. Raises: DatabaseFull; DatabaseUnavailable."""

    def __init__(self, path: Path) -> None:
        """Raises: DatabaseTooNew; sqlite3.Error; OSError."""
        self._database = connect(path, durable=True)
        self._using = threading.Lock()
        self._known: dict[str, Most] = {}
        self._known_at: int | None = None
        try:
            prepare_schema(self._database, path, (_SCHEMA,))
        except BaseException:
            self._database.close()
            raise

    def of(self, project_id: str) -> Most:
        """Those that are set for the project alone."""
        with self._used():
            self._refresh()
            return self._known.get(project_id, {})

    def all(self) -> Mapping[str, Most]:
        """By project, of those for which any is set."""
        with self._used():
            self._refresh()
            return dict(self._known)

    def _refresh(self) -> None:
        """Reads the rows again only if another connection has written: few projects have any, and checks are many."""
        (version,) = self._database.execute("PRAGMA data_version").fetchone()
        if version == self._known_at:
            return
        known: dict[str, dict[Quota, int | None]] = {}
        known_names = set(Quota)
        for project_id, name, most in self._database.execute("SELECT project_id, quota, most FROM quotas"):
            if name in known_names:  # others are a newer version's
                known.setdefault(project_id, {})[Quota(name)] = most
        self._known, self._known_at = dict(known), version

    def set_for(self, project_id: str, quota: Quota, most: int | None) -> None:
        """From now on, the project may have at most `most`; for None, any number."""
        with self._used(), writing(self._database):
            self._database.execute("INSERT OR REPLACE INTO quotas VALUES (?,?,?)", (project_id, quota, most))
            self._known_at = None

    def reset(self, project_id: str, quota: Quota | None = None) -> None:
        """The settings are in force for the project again: this quota's, or for None, those of all."""
        with self._used(), writing(self._database):
            self._database.execute(
                "DELETE FROM quotas WHERE project_id=? AND (?2 IS NULL OR quota=?2)", (project_id, quota)
            )
            self._known_at = None

    @contextmanager
    def _used(self) -> Iterator[None]:
        with self._using, errors_named(_NAME):
            yield

    def close(self) -> None:
        with self._using:
            self._database.close()
