"""Who is next: asserted as an order, with a clock that the test turns."""

import asyncio
from contextlib import suppress

import pytest

from service.application.turns import HALF_LIFE_SECONDS, PATIENCE, Turns


class Places:
    """Turns, and the order in which callers got them."""

    def __init__(self, count):
        self.now = 0.0
        self.turns = Turns(count, clock=lambda: self.now)
        self.order = []
        self._ends = {}
        self._tasks = {}

    async def come(self, name, project, *, is_long=False):
        """Somebody waits for a turn, or has it."""
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._take(name, project, is_long))
        await self._settled()

    async def _take(self, name, project, is_long):
        async with self.turns.turn(project, is_long=is_long):
            self.order.append(name)
            await self._ends[name].wait()

    async def end(self, name, *, after=0.0):
        """Its turn ends, so many seconds later."""
        self.now += after
        self._ends[name].set()
        await self._tasks[name]
        await self._settled()

    async def cancel(self, name):
        self._tasks[name].cancel()
        with suppress(asyncio.CancelledError):
            await self._tasks[name]
        await self._settled()

    async def _settled(self):
        for _ in range(5):
            await asyncio.sleep(0)

    async def end_all(self):
        for name in self.order:  # grows meanwhile
            if not self._tasks[name].done():
                await self.end(name, after=1)


async def test_one_recording_waits_for_what_runs_and_not_for_another_projects_queue():
    places = Places(1)
    for number in range(50):
        await places.come(f"flood {number}", "hostile")
    await places.come("honest", "honest")
    assert places.order == ["flood 0"]
    await places.end("flood 0", after=1)
    assert places.order == ["flood 0", "honest"]


async def test_projects_that_both_have_a_queue_take_turns():
    places = Places(1)
    for project in ("a", "b"):
        for number in range(3):
            await places.come(f"{project}{number}", project)
    await places.end_all()
    assert places.order == ["a0", "b0", "a1", "b1", "a2", "b2"]


async def test_who_took_long_waits_until_others_have_had_as_much():
    places = Places(1)
    await places.come("a0", "a")
    for name in ("a1", "b0", "b1", "b2"):
        await places.come(name, name[0])
    await places.end("a0", after=2.5)
    await places.end_all()
    assert places.order == ["a0", "b0", "b1", "b2", "a1"]


async def test_what_a_project_used_long_ago_counts_no_more():
    places = Places(1)
    await places.come("a0", "a")
    await places.end("a0", after=100)
    places.now += 20 * HALF_LIFE_SECONDS
    await places.come("b0", "b")
    await places.come("a1", "a")
    await places.come("b1", "b")
    await places.end_all()
    assert places.order == ["a0", "b0", "a1", "b1"]


async def test_short_work_comes_before_long_work_that_waits_also_of_another_project():
    places = Places(2)
    for name in ("s0", "s1"):
        await places.come(name, "busy")
    for number in range(5):
        await places.come(f"long {number}", "idle", is_long=True)
    await places.come("s2", "busy")
    await places.end("s0", after=1)
    assert places.order == ["s0", "s1", "s2"]


@pytest.mark.parametrize(("count", "long_at_once"), [(1, 1), (2, 1), (4, 3)])
async def test_long_work_never_takes_all_places(count, long_at_once):
    places = Places(count)
    for number in range(6):
        await places.come(f"long {number}", f"project {number}", is_long=True)
    assert len(places.order) == long_at_once
    await places.come("short", "honest")
    assert places.order[-1] == "short"
    assert len(places.order) == long_at_once + 1 == places.turns.places


async def test_with_one_place_short_work_has_that_and_no_more():
    places = Places(1)
    for name in ("s0", "s1"):
        await places.come(name, "a")
    assert places.order == ["s0"]


async def test_long_work_gets_its_turn_however_much_short_work_comes():
    places = Places(2)
    for name in ("s0", "s1"):
        await places.come(name, "busy")
    await places.come("long", "patient", is_long=True)
    places.now += PATIENCE.total_seconds()
    await places.come("s2", "busy")
    await places.end("s0")
    assert places.order == ["s0", "s1", "long"]


async def test_who_is_cancelled_while_it_waits_or_works_leaves_its_place_to_the_next():
    places = Places(1)
    for name in ("a", "b", "c"):
        await places.come(name, name)
    await places.cancel("b")
    await places.cancel("a")
    assert places.order == ["a", "c"]
    await places.end("c")
    await places.come("d", "d")
    assert places.order == ["a", "c", "d"]


async def test_who_is_cancelled_at_the_moment_its_turn_comes_leaves_it_to_the_next():
    turns, order = Turns(1), []

    async def take(name):
        async with turns.turn(name):
            order.append(name)
            await asyncio.sleep(0)

    async def take_and_then_cancel_the_next():
        await take("a")
        second.cancel()  # it has been given its turn and does not know yet

    first = asyncio.create_task(take_and_then_cancel_the_next())
    second, third = asyncio.create_task(take("b")), asyncio.create_task(take("c"))
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert (second.cancelled(), order) == (True, ["a", "c"])


async def test_nothing_is_remembered_of_projects_that_have_used_nothing_lately():
    places = Places(1)
    for number in range(20):
        await places.come(f"{number}", f"project {number}")
        await places.end(f"{number}", after=1)
    places.now += 20 * HALF_LIFE_SECONDS
    await places.come("last", "last")
    await places.end("last")
    assert len(places.turns._projects) == 0
