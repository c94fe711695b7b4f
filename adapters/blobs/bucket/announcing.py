"""Announces, in PostgreSQL, which objects a process is about to write: durably, and many names at once.

A writer is alive as long as its session holds an advisory lock, which ends with its process or machine.
"""

import secrets
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from adapters.blobs.bucket.index import new_name
from adapters.blobs.bucket.index_errors import unavailable
from adapters.blobs.bucket.index_tables import DOOM
from adapters.blobs.port import BlobFailure, StorageUnavailable
from adapters.database.port import ServerAway, Tables
from adapters.database.session_lock import SessionLock

Begin = Callable[[], AbstractContextManager[Tables]]

NAMES_AHEAD = 16
"""So many are announced in one transaction."""

_WRITERS = 1 << 62
"""From here on all numbers of locks are writers'."""

_OF_DEAD = """
WITH writers AS MATERIALIZED (SELECT DISTINCT writer FROM announced WHERE writer IS NOT NULL),
dead AS MATERIALIZED (SELECT writer FROM writers WHERE pg_try_advisory_xact_lock(writer))
DELETE FROM announced USING dead WHERE announced.writer = dead.writer RETURNING name
"""


class Announcer:
    """Blocking; for any thread. Raises: StorageUnavailable; StorageFull.

    `reading`, `writing`: begin what reads the index, and a transaction of it.
    """

    def __init__(self, url: str, reading: Begin, writing: Begin) -> None:
        self._url = url
        self._reading = reading
        self._writing = writing
        self._ahead: list[str] = []
        self._given_up: list[str] = []
        self._alive: SessionLock | None = None
        self._writer = 0
        self._one_at_a_time = threading.Lock()

    def next_name(self) -> str:
        """An announced name, for one object."""
        with self._one_at_a_time:
            self._settle()
            if not self._ahead:
                self._announce()
            return self._ahead.pop()

    def _announce(self) -> None:
        self._stay_alive()
        names = [new_name() for _ in range(NAMES_AHEAD)]
        with self._writing() as tables:
            tables.execute(
                "INSERT INTO announced (name, writer) SELECT name, ? FROM unnest(?::text[]) AS given (name)",
                (self._writer, names),
            )
        self._ahead = names

    def _stay_alive(self) -> None:
        """If the lock's session was lost, others may have taken this writer for dead: what it has announced before may
        be gone, and is not used any more."""
        try:
            if self._alive is None:
                self._writer = _WRITERS + secrets.randbits(61)
                self._alive = SessionLock(self._url, self._writer)
            if not self._alive.take():
                raise StorageUnavailable("its index takes this process for one that is gone")
        except ServerAway as error:
            raise unavailable(str(error)) from error

    def begin_anew(self) -> None:
        """A name was taken away, so the others most likely were, too."""
        with self._one_at_a_time:
            self._ahead.clear()

    def give_up(self, name: str) -> None:
        """It is to be deleted, unless it is in the index: now, or before the next name is given out."""
        with self._one_at_a_time:
            self._given_up.append(name)
            self._settle()

    def _settle(self) -> None:
        if not self._given_up:
            return
        with self._writing() as tables:
            tables.execute("DELETE FROM announced WHERE name = ANY(?)", (self._given_up,))
            gone = (
                "SELECT name FROM unnest(?::text[]) AS given (name)"
                " WHERE NOT EXISTS (SELECT 1 FROM objects WHERE objects.name = given.name)"
            )
            tables.execute(DOOM.format(gone=gone, arrives="true"), (self._given_up,))
        self._given_up = []

    def take_away_from_dead(self) -> None:
        """What writers were writing that are gone is to be deleted."""
        if self._has_others():
            with self._writing() as tables:
                tables.execute(DOOM.format(gone=_OF_DEAD, arrives="true"))

    def let_go_of_dead(self) -> None:
        """Nothing is known any more of what they were writing."""
        if self._has_others():
            with self._writing() as tables:
                tables.execute(_OF_DEAD)

    def _has_others(self) -> bool:
        query = "SELECT 1 FROM announced WHERE writer <> ? LIMIT 1"
        with self._reading() as tables:
            return tables.execute(query, (self._writer,)).fetchone() is not None

    def close(self) -> None:
        """What was announced and not used is not announced any more."""
        with self._one_at_a_time:
            if self._alive is None:
                return
            with suppress(BlobFailure):  # then it is found that this writer is gone
                self._settle()
                with self._writing() as tables:
                    tables.execute("DELETE FROM announced WHERE name = ANY(?)", (self._ahead,))
            self._alive.leave()
