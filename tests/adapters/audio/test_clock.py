"""Where a file's clock makes silence, and where it is not believed."""

from itertools import zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.audio.clock import FLICKS, Clock, Moment


def silences(starts: list[float | None], *, length: float = 0.02) -> list[float]:
    """The silence before each frame of `length` seconds, for their times on the clock."""
    moments = [Moment(None if start is None else round(start * FLICKS), round(length * FLICKS)) for start in starts]
    clock = Clock()
    followed = zip_longest(moments, moments[1:])
    return [clock.silence_before(moment, following) / FLICKS for moment, following in followed]


def test_a_jump_is_silence_of_its_length() -> None:
    assert silences([0, 0.02, 10.04, 10.06]) == [0, 0, 10, 0]


def test_a_late_first_time_is_silence() -> None:
    assert silences([5, 5.02]) == [5, 0]


def test_frames_without_a_time_follow_one_another() -> None:
    assert silences([None, None, None]) == [0, 0, 0]


def test_jitter_is_no_gap_and_does_not_add_up() -> None:
    assert silences([0, 0.05, 0.06, 0.10, 0.09]) == [0] * 5
    drifting = silences([index * 0.025 for index in range(400)])
    assert sum(drifting) == pytest.approx(400 * 0.005, abs=0.041)
    assert max(drifting) < 0.05


def test_a_clock_that_begins_anew_goes_on_where_it_was() -> None:
    assert silences([0, 1, 2, 3, 0, 1, 2, 9], length=1) == [0, 0, 0, 0, 0, 0, 0, 6]


def test_a_clock_that_slips_and_returns_had_not_begun_anew() -> None:
    assert silences([0, 1, 2, 3, 0, 9, 10], length=1) == [0, 0, 0, 0, 0, 4, 0]


def test_a_long_jump_counts_only_if_the_clock_goes_on_from_there() -> None:
    assert silences([0, 1, 1000, 1001], length=1) == [0, 0, 998, 0]
    assert silences([0, 1, 1000, 3, 4], length=1) == [0] * 5
    assert silences([0, 1, 1000], length=1) == [0] * 3


@pytest.mark.parametrize("start", [1e6, 8000, 1e12])
def test_a_jump_of_many_hours_is_a_damaged_time(start: float) -> None:
    assert silences([0, 1, start, start + 1, start + 2], length=1) == [0] * 5


def test_a_very_late_first_time_is_that_of_a_stream_that_was_joined_late() -> None:
    assert silences([3600, 3601, 3602, 3605], length=1) == [0, 0, 0, 2]


@pytest.mark.slow
@given(st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9))))
def test_whatever_the_clock_says_silence_is_bounded_and_sound_is_kept(starts: list[float | None]) -> None:
    found = silences(starts)
    assert all(silence >= 0 for silence in found)
    assert sum(found) <= 4 * 3600
