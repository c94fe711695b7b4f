"""Which of a service's hosts leads, where the others reach it, and which secrets all of them must have.

Who has the database's claim leads. It ends with the host's process or machine, and when the process hangs.
"""

from collections.abc import Mapping

from adapters.database.ownership import LOCK
from adapters.database.port import OtherRelease, PostgresPlace
from adapters.database.postgres import PostgresDatabase
from adapters.database.presence import RELEASE_GROUP
from adapters.database.session_lock import SessionLock

HUNG_SECONDS = 10
"""The server ends the claim of a host that asks nothing for so long."""

STANDS_STILL_SECONDS = 5
"""A transaction without a statement for so long is one of a process that hangs."""

ANSWER_SECONDS = 3.0
"""How long the server may take to say that the claim is still held; the host looks again within `HUNG_SECONDS`."""

_SCHEMA = (
    (
        "CREATE TABLE IF NOT EXISTS leader (one INTEGER PRIMARY KEY, url TEXT NOT NULL, backend TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, digest BLOB NOT NULL)",
    ),
    ("ALTER TABLE leader ADD COLUMN release_group INTEGER NOT NULL DEFAULT 1",),
)

_LEADER = """
SELECT url, release_group FROM leader JOIN pg_locks ON locktype = 'advisory' AND granted AND objsubid = 1
AND (classid::int8 << 32 | objid::int8) = ?
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
JOIN pg_stat_activity ON pg_stat_activity.pid = pg_locks.pid
WHERE backend = pg_locks.pid || ' ' || extract(epoch FROM backend_start)
"""

_END_WHAT_HANGS = """
SELECT count(pg_terminate_backend(pid, 1000)) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user
AND application_name = current_setting('application_name') AND state = 'idle in transaction'
AND state_change < clock_timestamp() - make_interval(secs => ?)
"""

_ANNOUNCE = """
INSERT INTO leader (one, url, backend, release_group) VALUES (1, ?, ?, ?)
ON CONFLICT (one) DO UPDATE SET url = excluded.url, backend = excluded.backend, release_group = excluded.release_group
"""


class Leadership:
    """One host's view of it. Blocking; for any thread. Raises: DatabaseUnavailable; ServerAway."""

    def __init__(self, place: PostgresPlace, *, own_url: str, release_group: int = RELEASE_GROUP) -> None:
        """`own_url`: where the others reach this host. `release_group`: that of its release."""
        self._own_url = own_url
        self._release_group = release_group
        self._lock = SessionLock(place.url, LOCK, idle_seconds=HUNG_SECONDS, answer_seconds=ANSWER_SECONDS)
        self._announced = ""
        self._database = _open(place)

    def claim(self) -> bool:
        """Whether this host leads now: still, or since this call. Nobody is waited for.

        Raises: also ServerAway; then it is not known, and may be asked again.
        """
        return self._lock.take()

    def end_what_hangs(self) -> None:
        """End the transactions, with their locks, in which processes stand still, on whatever machine: a host that
        hangs would keep the next one waiting."""
        with self._database.reading() as tables:
            tables.execute(_END_WHAT_HANGS, (STANDS_STILL_SECONDS,))

    def announce(self) -> bool:
        """From now on the others find this host, as long as it leads. To be called again when it may have lost its
        claim and claimed again; False if another has led meanwhile."""
        backend = self._lock.backend
        if not backend or backend == self._announced:
            return bool(backend)
        with self._database.writing() as tables:
            row = tables.execute("SELECT backend FROM leader").fetchone()
            if self._announced and row[0] != self._announced:
                return False
            tables.execute(_ANNOUNCE, (self._own_url, backend, self._release_group))
        self._announced = backend
        return True

    def leader(self) -> str | None:
        """Where the host is reached that leads now; None if there is none, or one that does not answer yet.

        Raises: also OtherRelease.
        """
        with self._database.reading() as tables:
            row = tables.execute(_LEADER, (LOCK,)).fetchone()
        if row is None:
            return None
        url, release_group = str(row[0]), int(row[1])
        if release_group != self._release_group:
            raise OtherRelease(f"The host at {url}, which leads,")
        return url

    def leave(self) -> None:
        """Another host may lead."""
        self._lock.leave()
        self._announced = ""

    def close(self) -> None:
        self._lock.leave()
        self._database.close()


class Secrets:
    """The digests of those that all hosts have. Blocking; for any thread. Raises: DatabaseUnavailable; ServerAway."""

    def __init__(self, place: PostgresPlace) -> None:
        self._database = _open(place)

    def known(self) -> Mapping[str, bytes]:
        """By name; none before the service has run."""
        with self._database.reading() as tables:
            return {str(name): bytes(digest) for name, digest in tables.execute("SELECT name, digest FROM secrets")}

    def settle(self, digests: Mapping[str, bytes]) -> None:
        """From now on these are what all hosts have."""
        with self._database.writing() as tables:
            tables.execute("DELETE FROM secrets")
            tables.executemany("INSERT INTO secrets (name, digest) VALUES (?, ?)", list(digests.items()))

    def close(self) -> None:
        self._database.close()


def _open(place: PostgresPlace) -> PostgresDatabase:
    database = PostgresDatabase(place)
    try:
        database.prepare(_SCHEMA)
    except BaseException:
        database.close()
        raise
    return database
