"""Locks by key for processes on any machines that share a PostgreSQL database: advisory locks of a session.

What is asked for, and given back, while the server answers is asked for together with its next answer: however many
locks are wanted at once, they cost few round trips. All of a process's locks end with its session.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

import psycopg

from adapters.database.port import ServerAway
from adapters.database.session_lock import open_session
from adapters.one_thread import OneThread
from adapters.own_locks import OwnLocks
from adapters.postgres.connections import Connection, reason

logger = logging.getLogger(__name__)

FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.01, 0.5
"""How long to wait before looking again whether another process's lock is free; each time twice as long."""

IDLE_SECONDS = 30
"""The server ends a session that asks nothing for so long, with its locks: its process hangs."""

LOOK_SECONDS = 2.0
"""How often it is looked whether the session is still there while locks are held."""

_FIRST = 1 << 61

_EXCHANGE = """
SELECT key, pg_advisory_unlock(key) FROM unnest(%s::int8[]) AS given_back (key)
UNION ALL SELECT key, pg_try_advisory_lock(key) FROM unnest(%s::int8[]) AS wanted (key)
"""


class LocksInDatabase:
    """For one event loop. Whoever holds a lock when it is found that the session is lost is cancelled, and the block
    raises ServerAway."""

    def __init__(self, url: str) -> None:
        """`url`: of the database. Nothing is connected before a lock is asked for."""
        self._session = _Session(url)
        self._thread = OneThread("settling")
        self._own = OwnLocks[int]()
        self._wanted: dict[int, asyncio.Future[bool]] = {}
        self._given_back: list[int] = []
        self._held: dict[int, asyncio.Task[object]] = {}
        self._lost: set[int] = set()
        self._needed = asyncio.Event()
        self._exchanging: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def of(self, key: str) -> AsyncIterator[None]:
        """Entered by one at a time, in whatever process. Within a process, in the order of asking.

        Raises: ServerAway; in the block, too, if the lock is lost before its end.
        """
        number = _number(key)
        async with self._own.of(number):
            await self._take(number)
            try:
                with self._cancelled_if_lost(number):
                    yield
            finally:
                if number in self._lost:
                    self._lost.discard(number)
                else:
                    self._give_back(number)

    @contextmanager
    def _cancelled_if_lost(self, number: int) -> Iterator[None]:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a lock is a task's")
        cancelled_before = task.cancelling()
        self._held[number] = task
        try:
            yield
        except asyncio.CancelledError:
            if number in self._lost and task.uncancel() <= cancelled_before:
                raise ServerAway("The database has ended the session that held a lock; try again.") from None
            raise
        finally:
            self._held.pop(number, None)

    async def _take(self, number: int) -> None:
        """Looks from time to time."""
        wait_seconds = FIRST_LOOK_SECONDS
        while not await self._asked(number):
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, LONGEST_LOOK_SECONDS)

    async def _asked(self, number: int) -> bool:
        """Whether the lock is this process's now. Raises: ServerAway."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._wanted[number] = answer
        self._exchange_soon()
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and not answer.exception() and answer.result():
                self._give_back(number)
            raise

    def _give_back(self, number: int) -> None:
        self._given_back.append(number)
        self._exchange_soon()

    def _exchange_soon(self) -> None:
        self._needed.set()
        if self._exchanging is None:
            self._exchanging = asyncio.create_task(self._keep_exchanging(), name="settling")

    async def _keep_exchanging(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._needed.wait()
            self._needed.clear()
            if self._wanted or self._given_back or self._held:
                await self._exchange()

    async def _exchange(self) -> None:
        wanted, self._wanted = self._wanted, {}
        given_back, self._given_back = self._given_back, []
        try:
            try:
                taken = await self._thread.run(self._session.exchange, given_back, list(wanted))
            except ServerAway:
                if self._held:
                    raise
                taken = await self._thread.run(self._session.exchange, [], list(wanted))  # it had been idle for long
        except Exception as error:
            if not isinstance(error, ServerAway):
                logger.exception("locks could not be asked for")
            self._lose_all()
            for answer in wanted.values():
                if not answer.done():
                    answer.set_exception(error)
            return
        for number, answer in wanted.items():
            if not answer.done():
                answer.set_result(number in taken)
            elif number in taken:  # who wanted it has been cancelled
                self._give_back(number)

    def _lose_all(self) -> None:
        self._given_back.clear()
        for number, task in self._held.items():
            self._lost.add(number)
            task.cancel()
        self._held.clear()

    async def close(self) -> None:
        """No lock is held any more."""
        if self._exchanging is not None:
            self._exchanging.cancel()
            await asyncio.gather(self._exchanging, return_exceptions=True)
        await self._thread.run(self._session.close)
        self._thread.close()


class _Session:
    """One session after another, for one thread. What a lost one may still hold is ended before the next is used."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self._lost: list[str] = []

    def exchange(self, given_back: Sequence[int], wanted: Sequence[int]) -> set[int]:
        """Those of the wanted locks that are held now. Raises: ServerAway; then none is held any more."""
        try:
            connection = self._connected()
            rows = connection.execute(_EXCHANGE, (given_back, wanted)).fetchall()
        except Exception as error:
            if self._connection is not None:
                self._lost.append(self._connection.backend)
            self.close()
            if isinstance(error, psycopg.Error):
                raise ServerAway(f"The database cannot be asked for locks: {reason(error)}.") from error
            raise
        return {number for number, is_held in rows[len(given_back) :] if is_held}

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = open_session(self._url, lost=self._lost, idle_seconds=IDLE_SECONDS)
            self._lost.clear()
        return self._connection

    def close(self) -> None:
        """The locks end with the session."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


def _number(key: str) -> int:
    """Of the key's lock: 61 bits of its digest, in a range that no other lock of tapedeck is in."""
    digest = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8, person=b"settling").digest(), "big")
    return _FIRST + (digest >> 3)
