"""Claims of processes that share a PostgreSQL database."""

import asyncio
import signal
import subprocess
import sys
import threading
from contextlib import asynccontextmanager

import psycopg
import pytest

from adapters.claims import port
from adapters.claims.in_database import ClaimsInDatabase
from adapters.claims.port import ClaimLost, ClaimsUnavailable
from tests.adapters.claims.contract import JOB, OTHER_JOB, ClaimsContract

HOLDER = """
import asyncio, sys
from adapters.claims.in_database import ClaimsInDatabase

async def hold(url, job):
    claims = ClaimsInDatabase(url)
    async with claims.claim(job) as claim:
        print(await claim.take(), flush=True)
        await asyncio.Event().wait()

asyncio.run(hold(*sys.argv[1:]))
"""

END_SESSIONS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

LOCKS = """
SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database
WHERE locktype = 'advisory' AND granted AND datname = current_database()
"""


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    monkeypatch.setattr(port, "LOOK_SECONDS", 0.01)


@asynccontextmanager
async def opened(url):
    claims = ClaimsInDatabase(url)
    keeping = asyncio.create_task(claims.keep())
    try:
        yield claims
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await claims.close()


@pytest.fixture
async def claims(database):
    async with opened(database) as claims:
        yield claims


@pytest.fixture
async def elsewhere(database):
    """Claims of another process, as far as the database can tell."""
    async with opened(database) as claims:
        yield claims


class TestClaimsInDatabase(ClaimsContract):
    pass


async def test_others_have_claims_too(claims, elsewhere):
    assert claims.are_shared
    async with claims.claim(JOB) as one, elsewhere.claim(JOB) as another, elsewhere.claim(OTHER_JOB) as other_job:
        assert await one.take()
        assert not await another.take()
        assert await other_job.take()
        await one.leave()
        assert await another.take()
        assert not await one.take()


async def test_who_waits_for_a_job_waits_for_others_too(claims, elsewhere):
    async with elsewhere.claim(JOB) as theirs:
        assert await theirs.take()
        waiting = asyncio.create_task(claims.until_free([OTHER_JOB, JOB]))
        for _ in range(3):
            assert await claims.are_elsewhere([JOB])
        assert not waiting.done()
        await theirs.leave()
        async with asyncio.timeout(60):
            await waiting


async def test_the_claim_of_a_process_that_is_killed_is_free(claims, database):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, database, JOB], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout.readline() == "True\n"
        async with claims.claim(JOB) as claim:
            assert not await claim.take()
            holder.send_signal(signal.SIGKILL)
            async with asyncio.timeout(60):
                await claims.until_free([JOB])
            assert await claim.take()


async def test_work_is_cancelled_when_its_claim_is_lost(claims, elsewhere, database):
    was_cancelled = asyncio.Event()

    async def work(is_held):
        async with claims.claim(JOB) as claim:
            assert await claim.take()
            is_held.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                was_cancelled.set()
                raise

    is_held = asyncio.Event()
    working = asyncio.create_task(work(is_held))
    await is_held.wait()
    with psycopg.connect(database, autocommit=True) as administrator:
        administrator.execute(END_SESSIONS)
    with pytest.raises(ClaimLost):
        async with asyncio.timeout(60):
            await working
    assert was_cancelled.is_set()
    assert working.cancelling() == 0
    async with elsewhere.claim(JOB) as theirs, asyncio.timeout(60):
        while not await taken(theirs):
            await asyncio.sleep(0.01)


async def taken(claim):
    try:
        return await claim.take()
    except ClaimsUnavailable:
        return False


async def test_all_claims_of_a_lost_session_are_lost_and_later_ones_are_not(claims, database):
    async with asyncio.timeout(60):
        lost = [asyncio.create_task(held(claims, f"job {number}")) for number in range(5)]
        while len(claims._own) < 5 or any(claim.session is None for claim in claims._own.values()):
            await asyncio.sleep(0)
        with psycopg.connect(database, autocommit=True) as administrator:
            administrator.execute(END_SESSIONS)
        assert [type(error) for error in await asyncio.gather(*lost, return_exceptions=True)] == [ClaimLost] * 5
        async with claims.claim("job 1") as claim:
            assert await claim.take()
            for _ in range(5):
                await claims._asked(claims._session.check)


async def held(claims, job):
    async with claims.claim(job) as claim:
        assert await claim.take()
        await asyncio.Event().wait()


async def test_who_is_cancelled_and_loses_its_claim_is_cancelled(claims):
    working = asyncio.create_task(held(claims, JOB))
    while JOB not in claims._own or claims._own[JOB].session is None:
        await asyncio.sleep(0.001)
    claims.lose(lambda _: True)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_a_claim_whose_session_ended_unnoticed_is_left_without_harm(claims, database):
    claims._session.check = lambda: None
    await claims._asked(lambda: None)  # no look is under way any more
    async with claims.claim(JOB) as claim:
        assert await claim.take()
        with psycopg.connect(database, autocommit=True) as administrator:
            administrator.execute(END_SESSIONS)
    async with claims.claim(JOB) as claim:
        assert await claim.take()


async def test_work_ends_with_its_session_also_if_who_found_that_out_was_cancelled(claims, database):
    async def work():
        async with claims.claim(JOB) as claim:
            assert await claim.take()
            claims._session.check = lambda: None
            await asyncio.Event().wait()

    async def ask():
        async with claims.claim(OTHER_JOB) as claim:
            await claim.take()

    lock, asked, may_ask = claims._session.lock, threading.Event(), threading.Event()

    def slow_lock(key):
        asked.set()
        may_ask.wait()
        return lock(key)

    working = asyncio.create_task(work())
    while not await claims_of(database):
        await asyncio.sleep(0.01)
    await claims._asked(lambda: None)
    claims._session.lock = slow_lock
    asking = asyncio.create_task(ask())
    await asyncio.to_thread(asked.wait)
    with psycopg.connect(database, autocommit=True) as administrator:
        administrator.execute(END_SESSIONS)
    asking.cancel()
    await asyncio.sleep(0)
    claims._session.lock = lock
    may_ask.set()
    with pytest.raises(ClaimLost):
        await working
    await asyncio.gather(asking, return_exceptions=True)


async def claims_of(database):
    """How many locks there are in the database."""
    async with await psycopg.AsyncConnection.connect(database) as administrator:
        ((count,),) = await (await administrator.execute(LOCKS)).fetchall()
        return count


async def test_a_server_that_is_away_is_waited_for(own_postgres):
    url = own_postgres.new_database()
    async with opened(url) as claims:
        async with claims.claim(JOB) as claim:
            assert await claim.take()
        own_postgres.stop()
        async with claims.claim(JOB) as claim:
            with pytest.raises(ClaimsUnavailable):
                await claim.take()
        with pytest.raises(ClaimsUnavailable):
            await claims.until_free([JOB])
        own_postgres.start()
        async with claims.claim(JOB) as claim:
            assert await claim.take()


async def test_a_session_that_asks_nothing_for_long_is_ended_by_the_server(claims, database):
    async with claims.claim(JOB) as claim:
        await claim.take()
        found = claims._session._connection.execute("SHOW idle_session_timeout").fetchone()
    assert found == ("30s",)
