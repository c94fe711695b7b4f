"""Claims of processes on any machines that share a PostgreSQL database: advisory locks of a session.

They end with the session: at once when its process ends, within half a minute when its machine or network is gone or
when it hangs. A process that does not hang has noticed by then.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, TypeVar

import psycopg

from adapters.claims import port
from adapters.claims.held import HeldClaims
from adapters.claims.port import ClaimsUnavailable
from adapters.database.session_lock import open_session
from adapters.one_thread import OneThread
from adapters.postgres.connections import Connection, is_lost, reason

logger = logging.getLogger(__name__)

T = TypeVar("T")

IDLE_SECONDS = 30
"""The server ends a session that asks nothing for so long: its process hangs."""

_ELSEWHERE = """
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid IS DISTINCT FROM pg_backend_pid()
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::int8 << 32 | objid::int8) = ANY(%s::int8[])
)
"""


class ClaimsInDatabase(HeldClaims):
    """`Claims`. `url`: of the database. Nothing is connected before something is asked; `keep` is to run meanwhile."""

    are_shared = True

    def __init__(self, url: str) -> None:
        super().__init__()
        self._session = _Session(url)
        self._thread = OneThread("claims")

    async def keep(self) -> None:
        """Look from time to time whether the claims are still held, until cancelled."""
        is_away = False
        while True:
            await asyncio.sleep(port.LOOK_SECONDS)
            try:
                await self._asked(self._session.check)
            except ClaimsUnavailable as because:
                if not is_away:
                    logger.warning("claims on jobs are lost", extra={"because": str(because)})
                is_away = True
            else:
                is_away = False

    async def lock(self, job: str) -> int | None:
        return await self._asked(lambda: self._session.lock(lock_number(job)))

    async def unlock(self, job: str, session: int | None) -> None:
        with suppress(ClaimsUnavailable):  # it has ended with the session
            await self._asked(lambda: self._session.unlock(lock_number(job), session))

    async def are_elsewhere(self, jobs: Collection[str]) -> bool:
        return await self._asked(lambda: self._session.are_elsewhere([lock_number(job) for job in jobs]))

    async def _asked(self, ask: Callable[[], T]) -> T:
        """Raises: ClaimsUnavailable. What worked under claims that are lost is cancelled before it does, and also if
        the caller is cancelled meanwhile."""
        loop = asyncio.get_running_loop()

        def answer() -> T:
            try:
                return ask()
            except _SessionLost as lost:
                with suppress(RuntimeError):  # the loop is closed, and nobody works any more
                    loop.call_soon_threadsafe(self._lose_up_to, lost.number)
                raise

        try:
            return await self._thread.run(answer)
        except _SessionLost as lost:
            raise ClaimsUnavailable(str(lost)) from lost

    def _lose_up_to(self, number: int) -> None:
        self.lose(lambda session: session <= number)

    async def close(self) -> None:
        """No claim is held any more. Call it when no work is left."""
        await self._thread.run(self._session.close)
        self._thread.close()


def lock_number(job: str) -> int:
    """Of the job's lock: 63 bits of the name's digest, so that no two jobs share one by chance. It is negative, as no
    other lock's number is."""
    return -1 - (int.from_bytes(hashlib.blake2b(job.encode(), digest_size=8).digest(), "big") >> 1)


class _SessionLost(Exception):
    """`number`: of the last session that is lost."""

    def __init__(self, number: int, because: str) -> None:
        super().__init__(because)
        self.number = number


class _Session:
    """One session after another, for one thread. Raises: _SessionLost; ClaimsUnavailable.

    What a lost session may still hold is ended before the next one is used.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._number = 0
        self._connection: Connection | None = None
        self._lost: list[str] = []

    def lock(self, key: int) -> int | None:
        """The session's number, if the lock is its own now."""
        is_locked = self._found(self._connected(), "SELECT pg_try_advisory_lock(%s)", key)
        return self._number if is_locked else None

    def unlock(self, key: int, number: int | None) -> None:
        """If it is held in this session; None: in the current one."""
        if self._connection is not None and number in (None, self._number):
            self._found(self._connection, "SELECT pg_advisory_unlock(%s)", key, ends_at_any_error=True)

    def are_elsewhere(self, keys: list[int]) -> bool:
        return bool(self._found(self._connected(), _ELSEWHERE, keys))

    def check(self) -> None:
        """Look whether the session is still there. It is not idle then."""
        if self._connection is not None:
            self._found(self._connection, "SELECT %s::int", 1)

    def _connected(self) -> Connection:
        if self._connection is None:
            try:
                self._connection = open_session(self._url, lost=self._lost, idle_seconds=IDLE_SECONDS)
            except psycopg.Error as error:
                raise ClaimsUnavailable(_because(error)) from error
            self._lost.clear()
            self._number += 1
        return self._connection

    def _found(
        self, connection: Connection, query: str, value: int | list[int], *, ends_at_any_error: bool = False
    ) -> Any:
        """The one value that a query finds. `ends_at_any_error`: of the session, and with it of its locks."""
        try:
            row = connection.execute(query, [value]).fetchone()
        except psycopg.Error as error:
            if not ends_at_any_error and not is_lost(connection, error):
                raise ClaimsUnavailable(_because(error)) from error
            self._lost.append(connection.backend)
            self.close()
            raise _SessionLost(self._number, _because(error)) from error
        return None if row is None else row[0]

    def close(self) -> None:
        """The locks end with the session."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


def _because(error: psycopg.Error) -> str:
    return f"The database cannot be asked for claims: {reason(error)}."
