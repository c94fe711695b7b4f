"""Locks by key that processes on several machines share, each with a session of its own."""

import asyncio

import pytest
from psycopg import sql

from adapters.database import keyed_locks
from adapters.database.keyed_locks import LocksInDatabase
from adapters.database.port import ServerAway

END = sql.SQL("SELECT pg_terminate_backend({}, 10000)")


@pytest.fixture
async def processes(database):
    """Two processes' locks."""
    both = [LocksInDatabase(database) for _ in range(2)]
    yield both
    for locks in both:
        await locks.close()


@pytest.fixture
def exchanges(monkeypatch):
    """How many locks were wanted in each exchange with the server."""
    counted, exchange = [], keyed_locks._Session.exchange

    def counting(session, given_back, wanted):
        counted.append(len(wanted))
        return exchange(session, given_back, wanted)

    monkeypatch.setattr(keyed_locks._Session, "exchange", counting)
    return counted


def end_session_of(locks, postgres):
    postgres.execute(END.format(locks._session._connection.info.backend_pid))


async def test_of_all_processes_one_at_a_time_is_inside_and_all_get_there(processes):
    inside, most, entered = 0, 0, 0

    async def enter(locks):
        nonlocal inside, most, entered
        async with locks.of("blob"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            entered += 1

    await asyncio.gather(*(enter(locks) for locks in processes for _ in range(10)))
    assert (most, entered) == (1, 20)


async def test_different_keys_do_not_wait_for_each_other(processes):
    one, other = processes
    async with one.of("one"), one.of("two"), other.of("three"):
        pass


async def test_what_is_wanted_at_once_is_asked_for_at_once(processes, exchanges):
    all_inside = asyncio.Barrier(200)

    async def enter(number):
        async with processes[0].of(f"blob {number}"):
            await all_inside.wait()

    await asyncio.gather(*(enter(number) for number in range(200)))
    assert sum(exchanges) == 200
    assert len([count for count in exchanges if count]) <= 5


async def test_who_is_cancelled_while_waiting_holds_nothing(processes):
    one, other = processes
    async with one.of("blob"):
        waiting = asyncio.create_task(anext(aiter(other.of("blob").gen)))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    for locks in (other, one):
        async with locks.of("blob"):
            pass


async def test_who_is_cancelled_with_the_answer_on_its_way_gives_the_lock_back(processes):
    one, other = processes

    async def enter():
        async with one.of("blob"):
            await asyncio.Event().wait()

    for pause in range(20):
        entering = asyncio.create_task(enter())
        for _ in range(pause):
            await asyncio.sleep(0)
        entering.cancel()
        await asyncio.gather(entering, return_exceptions=True)
        async with asyncio.timeout(60), other.of("blob"):
            pass


async def test_whoever_holds_a_lock_when_the_session_is_lost_is_told_and_another_may_have_it(
    processes, postgres, monkeypatch
):
    monkeypatch.setattr(keyed_locks, "LOOK_SECONDS", 0.01)
    one, other = processes

    async def hold_on():
        async with one.of("blob"):
            end_session_of(one, postgres)
            async with asyncio.timeout(60), other.of("blob"):
                await asyncio.Event().wait()

    with pytest.raises(ServerAway, match="try again"):
        await hold_on()
    async with one.of("blob"):
        pass


async def test_a_cancellation_from_outside_stays_one(processes):
    inside = asyncio.Event()

    async def enter():
        async with processes[0].of("blob"):
            inside.set()
            await asyncio.Event().wait()

    entering = asyncio.create_task(enter())
    await inside.wait()
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering


async def test_a_session_that_was_lost_while_nothing_was_held_is_noticed_by_nobody(processes, postgres):
    one, _ = processes
    async with one.of("blob"):
        pass
    end_session_of(one, postgres)
    async with one.of("blob"):
        pass


async def test_whatever_goes_wrong_is_told_to_who_asks_and_the_next_one_gets_the_lock(processes, monkeypatch, caplog):
    failures, connected = [OSError("too many open files")], keyed_locks._Session._connected

    def failing(session):
        if failures:
            raise failures.pop()
        return connected(session)

    monkeypatch.setattr(keyed_locks._Session, "_connected", failing)
    with pytest.raises(OSError, match="too many open files"):
        async with processes[0].of("blob"):
            pass
    assert "locks could not be asked for" in caplog.text
    for locks in processes:
        async with asyncio.timeout(60), locks.of("blob"):
            pass


@pytest.mark.slow
async def test_while_the_server_is_away_that_is_said_and_afterwards_locks_are_given(own_postgres):
    locks = LocksInDatabase(f"{own_postgres.new_database()}?connect_timeout=2")
    async with locks.of("blob"):
        pass
    own_postgres.kill()
    with pytest.raises(ServerAway):
        async with locks.of("blob"):
            pass
    own_postgres.start()
    async with locks.of("blob"):
        pass
    await locks.close()
