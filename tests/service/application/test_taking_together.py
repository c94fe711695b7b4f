"""Processes that share quotas: together they let in no more than one would, and what is given back is free again."""

import asyncio
from functools import partial

import pytest

from adapters.database.port import PostgresPlace
from adapters.quotas import Quota
from adapters.sqlite_file import DatabaseUnavailable
from adapters.taken import TakenStore
from adapters.usage import Usage, UsageAt
from service.application import taking_together
from service.application.taking import Ask, Refusal
from service.application.taking_together import TakesTogether

PROJECT = "proj_1"


class World:
    """A log, and a view of it that shows what the test says."""

    def __init__(self):
        self.head = 0
        self.usage = UsageAt(Usage(), 0)
        self.was_asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def catch_up(self, **used):
        self.usage = UsageAt(Usage(**used), self.head)

    def of_each(self, project_ids):
        return [self.usage for _ in project_ids]

    def position(self):
        self._loop.call_soon_threadsafe(self.was_asked.set)
        return self.usage.position


class Process:
    """One that takes."""

    def __init__(self, world, store):
        self._world = world
        self.store = store
        self.takes = TakesTogether(store, world, log=world)

    async def take(self, most, amount=1, quota=Quota.RECORDINGS):
        return await self.takes.take(PROJECT, [Ask(quota, amount, full_at=most)])

    def ends(self, quota=Quota.RECORDINGS, amount=1):
        """A request, whose event is in the log."""
        self._world.head += 1
        self.takes.give_back(PROJECT, quota, amount)

    async def has_told(self):
        if self.takes._telling is not None:
            await self.takes._telling


@pytest.fixture
async def world():
    return World()


@pytest.fixture
async def start(world):
    """Starts the process of a name, on a database."""
    opened = []

    def started(url, holder):
        opened.append(Process(world, TakenStore(PostgresPlace(url, "tapedeck_taken"), holder=holder)))
        return opened[-1]

    yield started
    for each in opened:
        await each.takes.close()
        each.store.close()


@pytest.fixture
def process(start, database):
    return partial(start, database)


async def test_requests_to_several_processes_at_once_get_no_more_than_one_after_another(process):
    processes = [process(f"process {number}") for number in range(3)]
    answers = await asyncio.gather(*(each.take(most=10) for _ in range(10) for each in processes))
    assert answers.count(None) == 10
    assert answers.count(Refusal(Quota.RECORDINGS, used=10)) == 20


async def test_what_the_view_does_not_show_yet_counts_for_all_and_counts_once_when_it_does(process, world):
    one, other = process("one"), process("other")
    assert await one.take(most=2) is None
    one.ends()
    await one.has_told()
    assert await other.take(most=2) is None
    for each in (one, other):
        assert await each.take(most=2) == Refusal(Quota.RECORDINGS, used=2)
    world.catch_up(recordings=1)
    for each in (one, other):
        assert await each.take(most=2, amount=0) == Refusal(Quota.RECORDINGS, used=2)
        assert await each.take(most=3, amount=0) is None
    other.ends()
    await other.has_told()
    world.catch_up(recordings=2)
    assert await one.take(most=3) is None
    one.ends()
    world.catch_up(recordings=2)  # nothing came of it
    await one.has_told()
    assert await other.take(most=3) is None


@pytest.fixture
def alone(world):
    """Starts a process that is the only one."""
    return partial(Process, world, None)


async def test_one_process_alone_has_in_its_memory_what_it_has_taken(alone, world):
    process = alone()
    answers = await asyncio.gather(*(process.take(most=10) for _ in range(20)))
    assert answers.count(None) == 10
    assert answers.count(Refusal(Quota.RECORDINGS, used=10)) == 10
    process.ends()
    assert await process.take(most=10) == Refusal(Quota.RECORDINGS, used=10)
    world.catch_up()  # nothing came of it
    assert await process.take(most=10) is None
    leaving = asyncio.create_task(process.take(most=11))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    await until_free(process, most=11)
    await process.takes.close()


async def test_one_process_alone_waits_until_the_view_shows_what_was_left_by_one_that_was_killed(alone, world):
    world.head = 3
    process = alone()
    taking = asyncio.create_task(process.take(most=1))
    world.head = 4  # what came since is its own
    await world.was_asked.wait()
    assert not taking.done()
    world.usage = UsageAt(Usage(recordings=1), 3)
    assert await taking == Refusal(Quota.RECORDINGS, used=1)


async def test_it_does_not_wait_long_for_a_view_that_is_being_made(alone, world, monkeypatch):
    monkeypatch.setattr(taking_together, "VIEW_SECONDS", 0.05)
    world.head = 3
    process = alone()
    assert await process.take(most=1) is None
    assert await process.take(most=1) == Refusal(Quota.RECORDINGS, used=1)


async def test_all_that_a_request_asks_for_is_taken_or_nothing(process):
    one, other = process("one"), process("other")
    asks = [Ask(Quota.RECORDINGS, 1, full_at=9), Ask(Quota.OPEN_RECORDINGS, 1, full_at=0)]
    assert await one.takes.take(PROJECT, asks) == Refusal(Quota.OPEN_RECORDINGS, used=0)
    assert await other.take(most=1) is None


async def test_what_a_killed_process_had_counts_until_the_view_shows_what_became_of_it(process, world):
    killed, other = process("killed"), process("other")
    assert await killed.take(most=2) is None
    world.head = 3  # its event was committed
    assert await other.take(most=2) is None
    again = process("killed")
    for each in (again, other):
        assert await each.take(most=2) == Refusal(Quota.RECORDINGS, used=2)
    world.catch_up(recordings=1)
    for each in (again, other):
        assert await each.take(most=2) == Refusal(Quota.RECORDINGS, used=2)
        assert await each.take(most=3, amount=0) is None


async def test_what_a_request_had_that_went_away_is_given_back_whenever_it_goes(process):
    one, other = process("one"), process("other")
    for turns in range(6):
        leaving = asyncio.create_task(one.take(most=1))
        for _ in range(turns):
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        if not leaving.cancelled():
            one.ends()
        await until_free(one)
        await until_free(other)


async def until_free(process, most=1):
    """The database may be deciding just now for a request that has gone."""
    async with asyncio.timeout(30):
        while await process.take(most=most, amount=0) is not None:
            await process.has_told()


@pytest.mark.slow
async def test_after_a_kill_of_the_database_nothing_is_missing_and_the_others_are_told_what_was_given_back(
    start, world, own_postgres
):
    process = partial(start, own_postgres.new_database())
    one, other = process("one"), process("other")
    for each in (one, other):
        assert await each.take(most=2) is None
    own_postgres.kill()
    one.ends()
    for each in (one, other):
        with pytest.raises(DatabaseUnavailable):
            await each.take(most=9)
    own_postgres.start()
    world.catch_up()  # nothing came of it
    await one.has_told()
    assert await other.take(most=2) is None
    for each in (one, other):
        assert await each.take(most=2) == Refusal(Quota.RECORDINGS, used=2)


async def test_a_process_that_has_nothing_left_has_no_rows(process, world):
    one, other = process("one"), process("other")
    for _ in range(20):
        assert await one.take(most=10**6) is None
        one.ends()
    world.catch_up(recordings=20)
    assert await other.take(most=10**6, quota=Quota.SESSIONS) is None
    other.ends(Quota.SESSIONS)
    await other.has_told()
    assert await one.take(most=21) is None
    one.ends()
    world.catch_up(recordings=21, sessions=1)
    await one.has_told()
    for each in (one, other):
        with each.store.looking() as table:
            assert table.by_others([PROJECT]) == {}
