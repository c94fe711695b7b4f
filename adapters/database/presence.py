"""Which releases run on a database: each process that belongs to a service holds a lock there that says so.

Processes are hosts, services that are alone, workers and publishers, on whatever machine; a lock ends with its process.
"""

import secrets

import psycopg

from adapters.database.port import OtherRelease, ServerAway
from adapters.database.session_lock import SessionLock
from adapters.postgres.connections import connect, reason

RELEASE_GROUP = 1
"""Releases with the same number are compatible: they may run side by side. A release that is not compatible with the
previous one has the next number: then no process joins those of the other. Those before 0.2.0 do not say theirs."""

ANSWER_SECONDS = 3.0
"""How long the server may take for an answer."""

_PRESENT = 0x7461_7069
"""The upper half of the number of each process's lock. Of the lower half, eight bits are its release group, the others
random."""

_OTHERS = """
SELECT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid::int8 = %s AND objid::int8 >> 24 <> %s
)
"""


_ANY_GROUP = -1
"""Is no process's."""


def somebody_runs(url: str) -> bool:
    """Whether a process of any release runs on this database, on whatever machine. Raises: ServerAway."""
    return _runs_besides(_ANY_GROUP, url)


def _runs_besides(release_group: int, url: str) -> bool:
    """Whether a process of another release group runs. Raises: ServerAway."""
    try:
        with connect(url) as own:
            row = own.execute(_OTHERS, [_PRESENT, release_group]).fetchone()
    except psycopg.Error as error:
        raise ServerAway(f"The database does not say which releases run: {reason(error)}.") from error
    return row is not None and bool(row[0])


class Presence:
    """One process's. Blocking, and for one caller at a time. Raises: ServerAway."""

    def __init__(self, url: str, *, release_group: int = RELEASE_GROUP) -> None:
        """`url`: of the database. `release_group`: that of the process's release."""
        self._url = url
        self._release_group = release_group
        number = _PRESENT << 32 | release_group << 24 | secrets.randbits(24)
        self._lock = SessionLock(url, number, answer_seconds=ANSWER_SECONDS)

    def join(self) -> None:
        """From now on, and until it leaves, processes of other release groups know that this one runs.

        Raises: also OtherRelease if one of them runs; then this one may not go on.
        """
        self.stay()
        if _runs_besides(self._release_group, self._url):
            self.leave()
            raise OtherRelease("A process on this database")

    def stay(self) -> None:
        """To be called from time to time: the server may have lost what it knew of this process."""
        self._lock.take()

    def leave(self) -> None:
        """Others may start, whatever their release."""
        self._lock.leave()
