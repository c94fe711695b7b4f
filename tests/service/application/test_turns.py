"""Who is next: asserted as an order, with a clock that the test turns."""

import asyncio
from contextlib import suppress

import pytest

from service.application.project_turns import HALF_LIFE_SECONDS, Urgency
from service.application.turn_ranks import AHEAD_PATIENCE, LIGHT_SECONDS, LIVE_PATIENCE, PATIENCE
from service.application.turns import Turns


class Places:
    """Turns, and the order in which callers got them. `running`: whose work is under way and not paused."""

    def __init__(self, count, *, can_be_paused=False):
        self.now = 0.0
        self.turns = Turns(count, clock=lambda: self.now)
        self.order = []
        self.running = set()
        self.work = {}
        self.granted = {}
        self._can_be_paused = can_be_paused
        self._ends = {}
        self._tasks = {}

    async def come(self, name, project, urgency=Urgency.SHORT):
        """Somebody waits for a turn, or has it."""
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._take(name, project, urgency))
        await self._settled()

    async def _take(self, name, project, urgency):
        async with self.turns.turn(project, urgency) as turn:
            self.order.append(name)
            self.running.add(name)
            self.granted[name] = turn
            if self._can_be_paused:
                self.work[name] = PausableWork(self.running, name)
                turn.is_used_by(self.work[name])
            try:
                await self._ends[name].wait()
            finally:
                self.running.discard(name)

    async def pass_by(self, seconds):
        """Time goes by, second by second."""
        for _ in range(round(seconds)):
            self.now += 1
            self.turns.look()
            await self._settled()

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


class PausableWork:
    def __init__(self, running, name):
        self._running = running
        self._name = name
        self.is_ready = True

    def pause(self):
        if self.is_ready:
            self._running.remove(self._name)
        return self.is_ready

    def resume(self):
        assert self._name not in self._running
        self._running.add(self._name)


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
        await places.come(f"long {number}", "idle", Urgency.LONG)
    await places.come("s2", "busy")
    await places.end("s0", after=1)
    assert places.order == ["s0", "s1", "s2"]


@pytest.mark.parametrize(("count", "long_at_once"), [(1, 1), (2, 1), (4, 3)])
async def test_long_work_never_takes_all_places(count, long_at_once):
    places = Places(count)
    for number in range(6):
        await places.come(f"long {number}", f"project {number}", Urgency.LONG)
    assert len(places.order) == long_at_once
    await places.come("short", "honest")
    assert places.order[-1] == "short"
    assert len(places.order) == long_at_once + 1 == max(2, count)


async def test_with_one_place_short_work_has_that_and_no_more():
    places = Places(1)
    for name in ("s0", "s1"):
        await places.come(name, "a")
    assert places.order == ["s0"]


async def test_long_work_gets_its_turn_however_much_short_work_comes():
    places = Places(2)
    for name in ("s0", "s1"):
        await places.come(name, "busy")
    await places.come("long", "patient", Urgency.LONG)
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


async def test_work_of_a_heavy_project_is_paused_for_a_light_one_and_goes_on_afterwards():
    places = Places(2, can_be_paused=True)
    for name in ("flood 0", "flood 1", "flood 2"):
        await places.come(name, "hostile")
    await places.pass_by(LIGHT_SECONDS)
    await places.come("honest", "honest")
    assert places.running == {"flood 1", "honest"}
    await places.end("honest")
    assert places.running == {"flood 0", "flood 1"}
    await places.end("flood 0")
    assert places.order == ["flood 0", "flood 1", "honest", "flood 2"]


async def test_work_that_has_just_begun_is_paused_only_a_second_later():
    places = Places(1, can_be_paused=True)
    await places.come("before", "hostile")
    await places.end("before", after=60)
    await places.come("flood", "hostile")
    await places.come("honest", "honest")
    assert places.running == {"flood"}
    await places.pass_by(1)
    assert places.running == {"honest"}


async def test_light_projects_do_not_pause_one_another():
    places = Places(1, can_be_paused=True)
    await places.come("a0", "a")
    await places.pass_by(LIGHT_SECONDS - 1)
    await places.come("b0", "b")
    assert places.running == {"a0"}
    await places.pass_by(1)
    assert places.running == {"b0"}


async def test_work_is_not_paused_for_a_project_that_has_used_nearly_as_much():
    places = Places(1, can_be_paused=True)
    await places.come("b0", "b")
    await places.end("b0", after=6)
    await places.come("a0", "a")
    places.now += 10
    await places.come("b1", "b")
    assert places.running == {"a0"}
    await places.pass_by(3)
    assert places.running == {"b1"}


async def test_what_is_paused_goes_on_before_new_work_of_a_project_that_has_used_nearly_as_much():
    places = Places(1, can_be_paused=True)
    await places.come("a0", "a")
    await places.pass_by(10)
    await places.come("honest", "honest")
    await places.come("b0", "b")
    assert places.running == {"honest"}
    await places.end("honest", after=7)
    assert places.running == {"b0"}
    await places.end("b0", after=8)
    await places.come("b1", "b")
    assert (places.running, places.order) == ({"a0"}, ["a0", "honest", "b0"])


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_only_so_much_is_under_way_at_once_with_what_is_paused(count):
    places = Places(count, can_be_paused=True)
    for number in range(6):
        await places.come(f"{number}", f"project {number}")
        await places.pass_by(200 / 4**number + 1)
    assert len(places.order) == 2 * count
    assert len(places.running) == count
    await places.end_all()
    assert len(places.order) == 6


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_whoever_has_a_turn_is_within_what_is_under_way_at_most_whatever_is_paused(count):
    places = Places(count, can_be_paused=True)
    spare = (Urgency.AHEAD, Urgency.ALONG)
    for urgency in (*spare, Urgency.SHORT, *spare, Urgency.LONG, Urgency.SHORT, Urgency.LIVE, *spare):
        for number in range(2 * count + 1):
            name = f"{urgency} {len(places.order)} {number}"
            await places.come(name, name, urgency)
            await places.pass_by(LIGHT_SECONDS + 1)
            begun = sum(len(each.begun) for each in places.turns._projects.values())
            assert begun <= places.turns.most_begun


async def test_much_paused_long_work_leaves_room_for_short_work():
    places = Places(3, can_be_paused=True)
    for number in range(8):
        await places.come(f"long {number}", f"project {number}", Urgency.LONG)
        await places.pass_by(LIGHT_SECONDS + 1)
    await places.come("short", "honest")
    assert "short" in places.running
    assert sum(len(each.begun) for each in places.turns._projects.values()) <= places.turns.most_begun


async def test_work_that_cannot_be_paused_is_waited_for():
    places = Places(1)
    await places.come("flood", "hostile")
    await places.pass_by(60)
    await places.come("honest", "honest")
    assert places.running == {"flood"}


async def test_speech_that_a_caller_waits_for_pauses_its_own_projects_recordings():
    places = Places(1, can_be_paused=True)
    await places.come("recording", "clinic")
    await places.pass_by(5)
    await places.come("live", "clinic", Urgency.LIVE)
    assert places.running == {"live"}
    await places.come("short", "clinic")
    await places.end("live")
    assert places.running == {"recording"}


async def test_live_speech_of_a_busy_project_has_its_turn_within_its_patience_whoever_else_comes():
    places = Places(1, can_be_paused=True)
    await places.come("before", "busy")
    await places.end("before", after=600)
    await places.come("light", "light")
    for name in ("live 0", "live 1"):
        await places.come(name, "busy", Urgency.LIVE)
    await places.pass_by(LIVE_PATIENCE.total_seconds() - 1)
    assert places.running == {"light"}
    await places.pass_by(1)
    assert places.running == {"live 0"}
    await places.end("live 0")
    assert places.running == {"light"}
    await places.pass_by(LIVE_PATIENCE.total_seconds())
    assert places.running == {"live 1"}


@pytest.mark.parametrize("count", [1, 3])
async def test_live_speech_has_its_turn_within_its_patience_also_when_much_is_paused(count):
    places = Places(count, can_be_paused=True)
    for number in range(4 * count):
        await places.come(f"{number}", f"project {number}")
        await places.pass_by(LIGHT_SECONDS + 1)
    for number in range(5):
        await places.come(f"live {number}", "busy", Urgency.LIVE)
        await places.pass_by(LIVE_PATIENCE.total_seconds() + 1)
        assert f"live {number}" in places.order
        await places.end(f"live {number}", after=1)


async def test_a_flood_of_live_speech_does_not_stand_in_the_way_of_anothers_recording():
    places = Places(2, can_be_paused=True)
    for number in range(20):
        await places.come(f"flood {number}", "hostile", Urgency.LIVE)
    await places.pass_by(LIGHT_SECONDS)
    for name in ("honest 0", "honest 1"):
        await places.come(name, name)
    assert places.running == {"honest 0", "honest 1"}


async def test_who_is_cancelled_while_paused_leaves():
    places = Places(1, can_be_paused=True)
    await places.come("flood", "hostile")
    await places.pass_by(LIGHT_SECONDS)
    await places.come("honest", "honest")
    await places.cancel("flood")
    await places.end("honest")
    await places.come("next", "next")
    assert places.running == {"next"}


async def test_work_that_cannot_be_paused_yet_is_paused_once_it_can():
    places = Places(1, can_be_paused=True)
    await places.come("flood", "hostile")
    places.work["flood"].is_ready = False
    await places.pass_by(LIGHT_SECONDS)
    await places.come("honest", "honest")
    assert places.running == {"flood"}
    places.work["flood"].is_ready = True
    await places.pass_by(1)
    assert places.running == {"honest"}


async def test_live_speech_that_had_to_wait_keeps_its_place_for_its_patience_and_no_longer():
    places = Places(1, can_be_paused=True)
    await places.come("before", "busy")
    await places.end("before", after=600)
    await places.come("light", "light")
    await places.come("live", "busy", Urgency.LIVE)
    await places.pass_by(2 * LIVE_PATIENCE.total_seconds() - 1)
    assert places.running == {"live"}
    await places.pass_by(1)
    assert places.running == {"light"}


async def test_work_ahead_stands_still_for_any_other_work_and_goes_on_when_none_is_left():
    places = Places(2, can_be_paused=True)
    for name in ("ahead 1", "ahead 2", "ahead 3"):
        await places.come(name, "project", Urgency.AHEAD)
    assert places.running == {"ahead 1", "ahead 2"}
    await places.pass_by(2)
    await places.come("short", "project")
    await places.come("long", "project", Urgency.LONG)
    assert places.running == {"short", "long"}
    await places.end("short", after=2)
    assert places.running == {"long", "ahead 1"}
    await places.end("ahead 1", after=2)
    assert places.running == {"long", "ahead 2"}
    await places.end("long")
    assert places.running == {"ahead 2", "ahead 3"}


async def test_work_that_waits_comes_before_work_ahead_whoever_has_waited_longer():
    places = Places(2)
    for name in ("first", "second"):
        await places.come(name, "one")
    await places.come("ahead", "another", Urgency.AHEAD)
    await places.come("third", "one")
    await places.end("first", after=1_000)
    assert places.order == ["first", "second", "third"]
    await places.end("second")
    assert places.order[-1] == "ahead"


async def test_paused_work_ahead_takes_no_room_from_other_work_that_is_to_be_paused():
    places = Places(2, can_be_paused=True)
    for name in ("ahead 1", "ahead 2"):
        await places.come(name, "one", Urgency.AHEAD)
    await places.pass_by(2)
    for name in ("heavy 1", "heavy 2"):
        await places.come(name, "heavy")
    await places.pass_by(60)
    await places.come("light", "light")
    assert "light" in places.running
    assert len(places.running) == 2


@pytest.mark.parametrize("count", [1, 2])
async def test_work_along_comes_before_work_ahead_and_stands_still_for_any_other(count):
    places = Places(count, can_be_paused=True)
    for number in range(count):
        await places.come(f"ahead {number}", "one", Urgency.AHEAD)
    await places.pass_by(2)
    await places.come("along", "two", Urgency.ALONG)
    assert "along" in places.running
    assert len(places.running) == count
    await places.pass_by(2)
    for number in range(count):
        await places.come(f"short {number}", "two")
    assert places.running == {f"short {number}" for number in range(count)}
    await places.come("along 2", "one", Urgency.ALONG)
    await places.end("short 0", after=2)
    assert "along" in places.running
    await places.end("along", after=2)
    assert "along 2" in places.running
    await places.end_all()


async def test_work_along_begins_only_when_no_other_work_waits_and_costs_its_project_nothing():
    places = Places(1)
    await places.come("first", "other")
    await places.come("along", "project", Urgency.ALONG)
    await places.come("second", "other", Urgency.SHORT)
    await places.end("first", after=1)
    await places.end("second", after=1)
    assert places.order == ["first", "second", "along"]
    await places.come("of another", "other")
    await places.come("its own", "project")
    await places.end("along", after=1_000)
    assert places.order[-1] == "its own"


async def test_there_is_a_free_place_while_nobody_waits_and_not_all_are_taken():
    places = Places(2, can_be_paused=True)
    free = [places.turns.is_free]
    for name in ("one", "two", "three"):
        await places.come(name, "project")
        free.append(places.turns.is_free)
    await places.end("one")
    free.append(places.turns.is_free)
    await places.end("two")
    free.append(places.turns.is_free)
    assert free == [True, True, False, False, False, True]


async def test_work_ahead_that_was_wanted_long_ago_is_not_held_up_by_work_along():
    places = Places(1, can_be_paused=True)
    await places.come("ahead", "one", Urgency.AHEAD)
    await places.pass_by(2)
    await places.come("along", "two", Urgency.ALONG)
    assert places.running == {"along"}
    await places.end("along", after=AHEAD_PATIENCE.total_seconds())
    assert places.running == {"ahead"}
    await places.come("along 2", "two", Urgency.ALONG)
    await places.pass_by(2)
    assert places.running == {"ahead"}
    await places.come("short", "two")
    assert places.running == {"short"}
