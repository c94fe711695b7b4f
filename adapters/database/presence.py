"""Which releases run on a database: each process that belongs to a service holds a lock there that says so.

Processes are hosts, services that are alone, workers and publishers, on whatever machine; a lock ends with its process.
"""

import secrets

import psycopg

from adapters.database.port import DatabaseInUse, OtherRelease, ServerAway
from adapters.database.session_lock import SessionLock
from adapters.event_log.url import place_of
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
SELECT coalesce(array_agg(DISTINCT objid::int8 >> 24), '{}'),
       extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8
FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND classid::int8 = %s
"""

SETTLED_SECONDS = 20.0
"""So long after its start the server has been told again of all processes that were there before."""

_ALONE = 255
"""The group of what nothing may run beside."""


def _look(url: str) -> tuple[set[int], float]:
    """The release groups of the processes that run, and for how many seconds the server has. Raises: ServerAway."""
    try:
        with connect(url) as own:
            ((groups, server_seconds),) = own.execute(_LOOK, [_PRESENT])
    except psycopg.Error as error:
        raise ServerAway(f"The database cannot be claimed: {reason(error)}.") from error
    return set(groups), float(server_seconds)


def _lock(url: str, group: int) -> SessionLock:
    return SessionLock(url, _PRESENT << 32 | group << 24 | secrets.randbits(24), answer_seconds=ANSWER_SECONDS)


class Presence:
    """One process's. Blocking, and for one caller at a time. Raises: DatabaseInUse; OtherRelease; ServerAway.

    A server that is started anew knows nobody. Whoever was there before says so again within moments. Whoever joins in
    these moments looks again, and has to go if it finds those of another release group; and so has whoever was cut off
    for so long that the server forgot it.
    """

    def __init__(self, url: str, *, release_group: int = RELEASE_GROUP) -> None:
        """`url`: of the database. `release_group`: that of the process's release."""
        self._url = url
        self._release_group = release_group
        self._lock = _lock(url, release_group)
        self._is_new = True
        self._is_settled = False
        self._has_seen_others = False

    def join(self) -> None:
        """From now on, and until it leaves, processes of other release groups know that this one runs.

        Raises: OtherRelease if one of them runs, DatabaseInUse if something has the database for itself; then this one
        is not known to run, and may not go on.
        """
        self._is_new, self._is_settled = True, False
        self._check(_look(self._url)[0])
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
        groups, server_seconds = _look(self._url)
        has_settled = server_seconds >= SETTLED_SECONDS
        try:
            self._check(groups)
        except (DatabaseInUse, OtherRelease):
            if self._is_new or (has_settled and self._has_seen_others):
                self.leave()
                raise
            self._has_seen_others = has_settled  # they may be refused in this moment, and gone in the next
            return
        self._has_seen_others = False
        self._is_settled = has_settled
        self._is_new = self._is_new and not has_settled

    def _check(self, groups: set[int]) -> None:
        if self._is_new and _ALONE in groups:  # which gives way to whoever was there before
            raise DatabaseInUse(place_of(self._url))
        if groups - {self._release_group, _ALONE}:
            raise OtherRelease("A process on this database")

    def leave(self) -> None:
        """Others may start, whatever their release."""
        self._lock.leave()


class Alone:
    """Of a process beside which none may run: from its first check until it is closed, none starts.

    Blocking, and for one caller at a time.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = _lock(url, _ALONE)

    def check(self) -> bool:
        """Whether nobody else runs; False while that is not certain yet, since the server was started a moment ago.

        Raises: DatabaseInUse; ServerAway.
        """
        self._check(_look(self._url)[0])  # before it keeps somebody from staying who is about to be known again
        self._lock.take()
        groups, server_seconds = _look(self._url)
        self._check(groups)
        return server_seconds >= SETTLED_SECONDS

    def _check(self, groups: set[int]) -> None:
        if groups - {_ALONE}:
            raise DatabaseInUse(place_of(self._url))

    def close(self) -> None:
        self._lock.leave()
