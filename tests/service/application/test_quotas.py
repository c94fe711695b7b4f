"""Quotas among requests at once, while the view that knows what is used is a moment late."""

from contextlib import AsyncExitStack

import pytest

from adapters.quotas import Quota
from adapters.usage import Usage, UsageAt
from service.application.quotas import (
    EntryQuotaReached,
    KeptQuotaReached,
    PassingQuotaReached,
    QuotaReached,
    Quotas,
    reached,
)
from service.application.taking import TakesHere

PROJECT = "proj_1"


class World:
    """A log that grows, a view that follows it when the test says so, and what was set for single projects."""

    def __init__(self, **most):
        self.head = 0
        self.usage = UsageAt(Usage(), 0)
        self.own = {}
        self.takes = TakesHere(World.View(self), log=self)
        self.quotas = Quotas({Quota(name): limit for name, limit in most.items()}, World.Own(self), self.takes)

    class Own:
        def __init__(self, world):
            self._world = world

        async def of(self, project_id):
            return self._world.own.get(project_id, {})

    class View:
        def __init__(self, world):
            self._world = world

        def of(self, project_id):
            return self._world.usage if project_id == PROJECT else UsageAt(Usage(), self._world.usage.position)

    async def store(self, size_bytes):
        """One request, whose event the view does not know yet."""
        with self.quotas.room(PROJECT) as room:
            await room.take(size_bytes)
            self.head += 1

    async def open(self):
        async with self.quotas.opening(PROJECT):
            self.head += 1

    def catch_up(self, **used):
        self.usage = UsageAt(Usage(**used), self.head)


async def pieces(*sizes):
    for size in sizes:
        yield bytes(size)


async def test_what_the_view_does_not_know_yet_counts_and_counts_once_when_it_does():
    world = World(bytes=100)
    await world.store(60)
    with pytest.raises(KeptQuotaReached) as refused:
        await world.store(51)
    assert (refused.value.quota, refused.value.used, refused.value.most) == (Quota.BYTES, 111, 100)
    world.catch_up(kept_bytes=60)
    await world.store(50)
    world.catch_up(kept_bytes=110)
    with pytest.raises(QuotaReached):
        await world.store(1)


async def test_requests_at_once_get_no_more_than_one_after_another():
    world = World(bytes=100, open_recordings=3)
    async with AsyncExitStack() as under_way:
        for _ in range(3):
            await under_way.enter_async_context(world.quotas.opening(PROJECT))
        with pytest.raises(PassingQuotaReached):
            await under_way.enter_async_context(world.quotas.opening(PROJECT))
        rooms = [under_way.enter_context(world.quotas.room(PROJECT)) for _ in range(12)]
        for room in rooms[:11]:
            await room.take(10)
        with pytest.raises(QuotaReached):
            await rooms[11].take(1)
        await world.quotas.check_room("proj_2", 110)


async def test_what_a_refused_request_had_taken_is_given_back():
    world = World(bytes=100, open_recordings=1)

    async def goes_wrong():
        async with world.quotas.opening(PROJECT):
            with world.quotas.room(PROJECT) as room:
                await room.take(110)
                raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await goes_wrong()
    await world.open()
    with pytest.raises(QuotaReached):
        await world.open()


async def test_at_the_quota_no_recording_begins_and_those_that_have_begun_go_on_for_a_tenth():
    world = World(bytes=100)
    world.catch_up(kept_bytes=100)
    with pytest.raises(KeptQuotaReached):
        await world.open()
    with pytest.raises(KeptQuotaReached):
        await world.quotas.check_opening(PROJECT)
    await world.store(10)
    with pytest.raises(KeptQuotaReached):
        await world.store(1)


async def test_a_body_of_unknown_size_takes_room_as_it_grows_and_is_cut_off_where_there_is_none():
    world, passed = World(bytes=100), []

    async def read():
        with world.quotas.room(PROJECT) as room:
            async for piece in room.as_it_grows(pieces(20, 40, 50, 1)):
                passed.append(len(piece))  # noqa: PERF401 - those before the end that is expected

    with pytest.raises(KeptQuotaReached):
        await read()
    assert passed == [20, 40, 50]
    with world.quotas.room(PROJECT) as room:
        assert [len(piece) async for piece in room.as_it_grows(pieces(60, 60), beyond=10)] == [60, 60]


async def test_a_project_may_have_quotas_of_its_own_that_say_more_or_less_or_no_limit():
    world = World(bytes=100, recordings=5)
    world.own[PROJECT] = {Quota.BYTES: None, Quota.RECORDINGS: 0}
    await world.store(10**12)
    with pytest.raises(KeptQuotaReached):
        await world.open()
    del world.own[PROJECT][Quota.RECORDINGS]
    await world.open()
    assert await world.quotas.most(PROJECT, Quota.RECORDINGS) == 5
    assert await world.quotas.most(PROJECT, Quota.DEVICES) is None


async def test_a_view_that_stands_still_costs_no_memory_and_loses_no_count():
    world = World(bytes=10**9)
    for _ in range(3_000):
        await world.store(1)
    (held,) = world.takes._held.values()
    assert (held.taken, len(held.leaving)) == (3_000, 1_000)
    world.catch_up(kept_bytes=3_000)
    await world.quotas.check_room(PROJECT, 0)
    assert world.takes._held == {}


@pytest.mark.parametrize("quota", Quota)
def test_every_refusal_says_what_the_quota_is_what_is_used_and_what_to_do(quota):
    told = str(reached(quota, used=1_234, most=1_000))
    assert "quota is 1000 " in told
    assert " 1234; " in told
    assert any(advice in told for advice in ("delete", "erase", "ask the operator", "order again"))


@pytest.mark.parametrize(
    ("kind", "quotas"),
    [
        (KeptQuotaReached, {Quota.BYTES, Quota.RECORDINGS}),
        (PassingQuotaReached, {Quota.OPEN_RECORDINGS, Quota.WAITING_NOTES}),
        (EntryQuotaReached, {Quota.SESSIONS, Quota.WEBHOOKS, Quota.END_USERS, Quota.DEVICES}),
    ],
)
def test_what_makes_room_again_tells_how_a_refusal_is_answered(kind, quotas):
    assert {quota for quota in Quota if type(reached(quota, used=1, most=1)) is kind} == quotas
