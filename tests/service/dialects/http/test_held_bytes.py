"""The budget for what is held in memory: within its limit, fair among callers, and slow bodies give way."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.http.held_bytes import GRACE_SECONDS, SLOWEST_BYTES_PER_SECOND, GaveWay, HeldBytes, TooMuchHeld

MOST = 1000


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def held(budget, caller, size_bytes):
    hold = budget.hold(caller)
    hold.reserve(size_bytes)
    return hold


def test_one_caller_gets_half_and_the_next_half_of_the_rest():
    budget = HeldBytes(MOST)
    held(budget, "one", 500)
    with pytest.raises(TooMuchHeld):
        held(budget, "one", 1)
    held(budget, "two", 250)
    with pytest.raises(TooMuchHeld):
        held(budget, "two", 1)
    held(budget, "three", 125)
    assert budget.held_bytes == 875


def test_what_is_given_back_may_be_held_again_and_what_is_refused_was_never_held():
    budget = HeldBytes(MOST)
    hold = held(budget, "one", 500)
    with pytest.raises(TooMuchHeld):
        hold.reserve(501)
    assert (hold.size_bytes, budget.held_bytes) == (500, 500)
    hold.shrink_to(100)
    assert budget.held_bytes == 100
    hold.reserve(50)  # it holds that already
    assert budget.held_bytes == 100
    held(budget, "one", 400)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcde"), st.integers(0, 600), st.sampled_from(["reserve", "shrink"])), max_size=60
    )
)
def test_nothing_exceeds_the_budget_and_no_caller_holds_more_than_was_left_for_the_others(steps):
    budget = HeldBytes(MOST)
    holds = {caller: budget.hold(caller) for caller in "abcde"}
    for caller, size_bytes, step in steps:
        hold, before = holds[caller], holds[caller].size_bytes
        if step == "shrink":
            hold.shrink_to(size_bytes)
            continue
        try:
            hold.reserve(size_bytes)
        except TooMuchHeld:
            assert hold.size_bytes == before
        else:
            if hold.size_bytes > before:
                assert hold.size_bytes <= MOST - budget.held_bytes
        assert budget.held_bytes == sum(each.size_bytes for each in holds.values()) <= MOST
    for hold in holds.values():
        hold.shrink_to(0)
    assert budget.held_bytes == 0


def test_a_slow_body_gives_way_to_another_and_a_quick_one_does_not():
    clock, budget, ended = Clock(), None, []
    budget = HeldBytes(MOST * SLOWEST_BYTES_PER_SECOND, clock=clock)
    size = 200 * SLOWEST_BYTES_PER_SECOND
    moved = {"slow": 0, "quick": 0}
    slow, quick, newcomer = held(budget, "one", size), held(budget, "one", size), budget.hold("one")
    with (
        slow.moving(lambda: moved["slow"], lambda: ended.append("slow")),
        quick.moving(lambda: moved["quick"], lambda: ended.append("quick")),
    ):
        clock.seconds = GRACE_SECONDS  # until then nothing is slow
        with pytest.raises(TooMuchHeld):
            newcomer.reserve(size)
        clock.seconds += 1
        moved["quick"] = int(clock.seconds * SLOWEST_BYTES_PER_SECOND)
        newcomer.reserve(size)
        assert (ended, slow.size_bytes, quick.size_bytes, newcomer.size_bytes) == (["slow"], 0, size, size)
        with pytest.raises(GaveWay):
            slow.reserve(1)


def test_nobody_gives_way_where_that_would_not_be_enough():
    clock, ended = Clock(), []
    budget = HeldBytes(MOST, clock=clock)
    slow = held(budget, "one", 100)
    held(budget, "one", 300)
    newcomer = budget.hold("one")
    with slow.moving(lambda: 0, lambda: ended.append("slow")):
        clock.seconds = GRACE_SECONDS + 1
        with pytest.raises(TooMuchHeld):
            newcomer.reserve(300)
    assert (ended, slow.size_bytes) == ([], 100)


def test_a_callers_own_slow_bodies_give_way_before_those_of_others():
    clock, ended = Clock(), []
    budget = HeldBytes(MOST, clock=clock)
    its_own, anothers = held(budget, "one", 200), held(budget, "two", 300)
    newcomer = budget.hold("one")
    with (
        anothers.moving(lambda: 0, lambda: ended.append("another's")),
        its_own.moving(lambda: 0, lambda: ended.append("its own")),
    ):
        clock.seconds = GRACE_SECONDS + 1
        newcomer.reserve(300)
    assert ended == ["its own"]


async def test_what_ends_is_told_each_time_that_enough_has_ended_however_much_is_still_held():
    budget = HeldBytes(MOST)
    held(budget, "all the time", 400)
    told = asyncio.create_task(budget.until_given_back(100))
    for _ in range(9):
        held(budget, "one", 10).shrink_to(0)
        await asyncio.sleep(0)
    assert not told.done()
    held(budget, "two", 10).shrink_to(0)
    await told
    again = asyncio.create_task(budget.until_given_back(100))
    await asyncio.sleep(0)
    assert not again.done()
    held(budget, "one", 100).shrink_to(0)
    await again
    held(budget, "one", 100).shrink_to(0)  # while nobody waits
    await budget.until_given_back(100)
