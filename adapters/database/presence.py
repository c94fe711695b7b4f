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

_LOOK = """
SELECT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid::int8 = %s AND objid::int8 >> 24 <> %s
), extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8
"""

SETTLED_SECONDS = 20.0
"""So long after its start the server has been told again of all processes that were there before."""


_ANY_GROUP = -1
"""Is no process's."""


def somebody_runs(url: str) -> bool:
    """Whether a process of any release runs on this database, on whatever machine, as far as the server knows by now.

    Raises: ServerAway.
    """
    return _look(url, besides=_ANY_GROUP)[0]


def _look(url: str, *, besides: int) -> tuple[bool, float]:
    """Whether processes of other release groups run, and for how many seconds the server has."""
    try:
        with connect(url) as own:
            ((others_run, server_seconds),) = own.execute(_LOOK, [_PRESENT, besides])
    except psycopg.Error as error:
        raise ServerAway(f"The database does not say which releases run: {reason(error)}.") from error
    return bool(others_run), float(server_seconds)


class Presence:
    """One process's. Blocking, and for one caller at a time. Raises: OtherRelease; ServerAway.

    A server that is started anew knows nobody. Whoever was there before says so again within moments. Whoever joins in
    these moments looks again, and has to go if it finds those of another release group; and so has whoever was cut off
    for so long that the server forgot it.
    """

    def __init__(self, url: str, *, release_group: int = RELEASE_GROUP) -> None:
        """`url`: of the database. `release_group`: that of the process's release."""
        self._url = url
        self._release_group = release_group
        number = _PRESENT << 32 | release_group << 24 | secrets.randbits(24)
        self._lock = SessionLock(url, number, answer_seconds=ANSWER_SECONDS)
        self._is_new = True
        self._is_settled = False

    def join(self) -> None:
        """From now on, and until it leaves, processes of other release groups know that this one runs.

        Raises: OtherRelease if one of them runs; then this one is not known to run, and may not go on.
        """
        self._is_new, self._is_settled = True, False
        self.stay()

    def stay(self) -> None:
        """To be called about every second: the server may have lost what it knew of this process.

        Raises: as `join`.
        """
        session = self._lock.backend
        self._lock.take()
        if self._lock.backend != session:
            self._is_settled = False
        if self._is_settled:
            return
        others_run, server_seconds = _look(self._url, besides=self._release_group)
        has_settled = server_seconds >= SETTLED_SECONDS
        if others_run and (self._is_new or has_settled):
            self.leave()
            raise OtherRelease("A process on this database")
        self._is_settled = has_settled
        self._is_new = self._is_new and not has_settled

    def leave(self) -> None:
        """Others may start, whatever their release."""
        self._lock.leave()
