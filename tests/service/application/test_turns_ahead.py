"""Work ahead that a stage comes to wait for, and work along beside work ahead: with a clock that the test turns."""

import pytest

from service.application.project_turns import Urgency
from service.application.turn_ranks import AHEAD_PATIENCE, LIGHT_SECONDS
from tests.service.application.test_turns import Places

LATE = AHEAD_PATIENCE.total_seconds()


async def with_a_stage_that_waits_for(places, *ahead, urgency=Urgency.SHORT):
    """Such work ahead is under way when a stage of its project comes, which takes over the first of it."""
    for name in ahead:
        await places.come(name, "project", Urgency.AHEAD)
    await places.pass_by(2)
    await places.come("stage", "project", urgency)
    assert "stage" in places.running
    hand_over(places, *ahead)
    assert ahead[0] in places.running


def hand_over(places, *ahead):
    """The stage waits for these from now on, for the first of them in its own turn."""
    places.turns.hand_over([places.granted[name] for name in ahead], to=places.granted["stage"])


@pytest.mark.parametrize(
    ("count", "urgency"), [(1, Urgency.SHORT), (1, Urgency.LONG), (2, Urgency.SHORT), (2, Urgency.LONG)]
)
async def test_work_that_a_stage_took_over_stands_still_only_for_what_the_stage_stands_still_for(count, urgency):
    places = Places(count, can_be_paused=True)
    await with_a_stage_that_waits_for(places, "ahead", urgency=urgency)
    for number in range(2 * count):
        await places.come(f"along {number}", f"listener {number}", Urgency.ALONG)
        await places.come(f"another ahead {number}", f"another {number}", Urgency.AHEAD)
    await places.come("short", "light")
    for _ in range(round(LIGHT_SECONDS) - 3):
        await places.pass_by(1)
        assert "ahead" in places.running, "its project is light, too"
    await places.come("speech", "light", Urgency.LIVE)
    await places.come("more speech", "light", Urgency.LIVE)
    assert ("ahead" in places.running) == (count == 1 and urgency is Urgency.LONG), "live work pauses the stage"
    assert "speech" in places.running


async def test_other_work_that_a_stage_waits_for_does_not_stand_still_for_work_along_either():
    places = Places(3, can_be_paused=True)
    await with_a_stage_that_waits_for(places, "ahead 1", "ahead 2")
    for number in range(4):
        await places.come(f"along {number}", f"listener {number}", Urgency.ALONG)
    await places.pass_by(2 * LATE)
    assert places.running == {"stage", "ahead 1", "ahead 2", "along 0"}


async def test_work_that_a_stage_waits_for_and_that_was_paused_goes_on_before_any_spare_work():
    places = Places(2, can_be_paused=True)
    for name in ("ahead 1", "ahead 2"):
        await places.come(name, "project", Urgency.AHEAD)
    await places.pass_by(2)
    await places.come("stage", "project")
    assert len(places.running) == 2
    for number in range(2):
        await places.come(f"along {number}", f"listener {number}", Urgency.ALONG)
    await places.pass_by(2)
    assert places.running == {"stage", "along 0"}
    hand_over(places, "ahead 1", "ahead 2")
    assert places.running == {"stage", "ahead 1", "ahead 2"}
    await places.end("ahead 1")
    hand_over(places, "ahead 2")
    await places.pass_by(1)
    assert places.running == {"stage", "ahead 2", "along 0"}


async def test_the_place_of_work_that_a_stage_took_over_is_free():
    places = Places(2, can_be_paused=True)
    await with_a_stage_that_waits_for(places, "ahead")
    await places.come("other", "another")
    assert places.running == {"stage", "ahead", "other"}
    await places.come("next", "another")
    await places.end("ahead", after=1)
    assert "next" not in places.running
    await places.end("stage", after=1)
    assert "next" in places.running


async def test_work_that_a_stage_takes_over_while_it_stands_still_goes_on_with_it():
    places = Places(2, can_be_paused=True)
    await places.come("stage", "project")
    await places.pass_by(LIGHT_SECONDS)
    await places.come("ahead", "project", Urgency.AHEAD)
    for name in ("light", "speech"):
        await places.come(name, name, Urgency.LIVE)
    assert places.running == {"light", "ahead"}, "it has just begun"
    hand_over(places, "ahead")
    assert places.running == {"light"}
    await places._settled()
    assert places.running == {"light", "speech"}
    await places.end("light")
    assert places.running == {"ahead", "speech"}


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_whoever_has_a_turn_is_within_what_is_under_way_at_most_also_when_stages_wait_for_work_ahead(count):
    places = Places(count, can_be_paused=True)
    spare = (Urgency.AHEAD, Urgency.ALONG)
    for urgency in (*spare, Urgency.SHORT, Urgency.AHEAD, Urgency.LONG, Urgency.SHORT, *spare, Urgency.LIVE, *spare):
        for number in range(2 * count + 1):
            name = f"{urgency} {len(places.order)} {number}"
            await places.come(name, name, urgency)
            for turn in places.granted.values():
                turn.is_waited_for = turn.urgency is Urgency.AHEAD
            await places.pass_by(LIGHT_SECONDS + 1)
            begun = sum(len(each.begun) for each in places.turns._projects.values())
            assert begun <= places.turns.most_begun


@pytest.mark.parametrize("count", [2, 4])
async def test_work_along_takes_a_free_place_at_once_however_long_ago_work_ahead_was_wanted_that_runs(count):
    places = Places(count, can_be_paused=True)
    await places.come("ahead", "one", Urgency.AHEAD)
    await places.pass_by(LATE + 1)
    for number in range(1, count):
        await places.come(f"along {number}", "two", Urgency.ALONG)
        assert f"along {number}" in places.running
    assert not places.turns.is_free
    await places.end("along 1")
    assert places.turns.is_free
    assert "ahead" in places.running


async def test_work_along_pauses_work_ahead_but_none_that_was_wanted_long_ago():
    places = Places(2, can_be_paused=True)
    await places.come("late", "one", Urgency.AHEAD)
    await places.pass_by(LATE)
    await places.come("new", "two", Urgency.AHEAD)
    await places.pass_by(2)
    for number in range(2):
        await places.come(f"along {number}", f"listener {number}", Urgency.ALONG)
    await places.pass_by(2)
    assert places.running == {"late", "along 0"}


async def test_work_ahead_that_was_wanted_long_ago_and_stands_still_goes_before_work_along_that_does_too():
    places = Places(1, can_be_paused=True)
    await places.come("ahead", "one", Urgency.AHEAD)
    await places.pass_by(2)
    await places.come("along", "two", Urgency.ALONG)
    await places.pass_by(2)
    await places.come("short", "two")
    assert places.running == {"short"}
    await places.end("short", after=LATE)
    assert places.running == {"ahead"}
    await places.end("ahead")
    assert places.running == {"along"}


async def test_work_along_pauses_nothing_while_work_ahead_that_was_wanted_long_ago_waits():
    places = Places(1, can_be_paused=True)
    for name in ("first", "late"):
        await places.come(name, "one", Urgency.AHEAD)
    await places.pass_by(LATE)
    await places.come("new", "two", Urgency.AHEAD)
    await places.end("first")
    assert places.running == {"new"}, "its project has used less"
    await places.pass_by(2)
    await places.come("along", "three", Urgency.ALONG)
    await places.pass_by(2)
    assert places.running == {"new"}
    await places.end("new")
    assert places.running == {"late"}
    await places.end("late")
    assert places.running == {"along"}


async def test_work_along_that_has_waited_long_comes_before_new_work_ahead_too():
    places = Places(1, can_be_paused=True)
    await places.come("short", "one")
    await places.come("along", "two", Urgency.ALONG)
    await places.pass_by(LATE)
    await places.come("ahead", "three", Urgency.AHEAD)
    await places.end("short")
    assert places.running == {"along"}
