"""Speech from here and there, joined, and the way back to where it came from."""

from collections.abc import Iterable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from adapters.audio.decoding import SAMPLE_RATE
from adapters.speech.joined_speech import JoinedSpeech, Speech, filled

LONGEST_SAMPLES = 28 * SAMPLE_RATE


def numbered(start: int, samples: int) -> Speech:
    """Speech of which every sample says where in the recording it was; 24 bits of a float are enough."""
    return Speech(start, np.arange(start, start + samples, dtype=np.float32))


@st.composite
def speech(draw: st.DrawFn, *, longest_seconds: int = 4) -> list[Speech]:
    """Stretches in order, apart."""
    made, position = [], 0
    for _ in range(draw(st.integers(1, 6))):
        position += draw(st.integers(0, 2 * SAMPLE_RATE))
        made.append(numbered(position, draw(st.integers(1, longest_seconds * SAMPLE_RATE))))
        position += len(made[-1].sound)
    return made


def samples_of(stretches: Iterable[Speech]) -> list[float]:
    return [sample for each in stretches for sample in each.sound.tolist()]


@given(stretches=speech(), first=st.floats(0, 1), second=st.floats(0, 1))
def test_whatever_is_heard_is_placed_in_one_stretch(stretches: list[Speech], first: float, second: float):
    joined = JoinedSpeech(stretches)
    start, end = sorted((first * joined.seconds, second * joined.seconds))
    place = joined.place(start, end)
    assert place.start <= place.end
    assert any(each.interval.start <= place.start and place.end <= each.interval.end for each in stretches)


@given(stretches=speech(), share=st.floats(0, 1))
def test_a_moment_is_placed_where_it_was_in_the_recording(stretches: list[Speech], share: float):
    joined = JoinedSpeech(stretches)
    sample = min(int(share * joined.samples), joined.samples - 1)
    place = joined.place(sample / SAMPLE_RATE, sample / SAMPLE_RATE)
    assert abs(place.start * SAMPLE_RATE - joined.sound[sample]) <= 1


def test_a_word_across_two_stretches_is_placed_in_the_one_that_has_more_of_it():
    joined = JoinedSpeech([numbered(0, SAMPLE_RATE), numbered(10 * SAMPLE_RATE, SAMPLE_RATE)])
    assert (joined.place(0.4, 1.2).start, joined.place(0.4, 1.2).end) == (0.4, 1.0)
    assert (joined.place(0.8, 1.6).start, joined.place(0.8, 1.6).end) == (10.0, 10.6)


def test_what_is_heard_after_the_end_is_placed_at_the_end():
    place = JoinedSpeech([numbered(0, SAMPLE_RATE)]).place(1.5, 2.0)
    assert (place.start, place.end) == (1.0, 1.0)


@given(stretches=speech(), share=st.floats(0, 1.2))
def test_the_rest_is_all_that_comes_after_and_knows_where_it_was(stretches: list[Speech], share: float):
    joined = JoinedSpeech(stretches)
    taken = min(round(share * joined.seconds * SAMPLE_RATE), joined.samples)
    rest = joined.rest(share * joined.seconds)
    assert samples_of(rest.stretches) == samples_of(stretches)[taken:]
    assert all(each.start == each.sound[0] for each in rest.stretches)


@given(stretches=speech(longest_seconds=70))
def test_filling_windows_loses_nothing_and_makes_none_too_long(stretches: list[Speech]):
    windows, joined = [], JoinedSpeech()
    for stretch in stretches:
        left: Speech | None = stretch
        while left is not None:
            joined, left = filled(joined, left, longest_samples=LONGEST_SAMPLES)
            if left is not None:
                windows.append(joined)
                joined = JoinedSpeech()
    windows.append(joined)
    assert all(0 < window.samples <= LONGEST_SAMPLES for window in windows)
    heard = np.concatenate([window.sound for window in windows])
    assert np.array_equal(heard, JoinedSpeech(stretches).sound)


def test_speech_that_would_fit_another_window_is_not_cut_for_little_room():
    joined, left = filled(
        JoinedSpeech([numbered(0, 25 * SAMPLE_RATE)]),
        numbered(30 * SAMPLE_RATE, 5 * SAMPLE_RATE),
        longest_samples=LONGEST_SAMPLES,
    )
    assert joined.seconds == 25
    assert left is not None
    assert len(left.sound) == 5 * SAMPLE_RATE


def test_speech_that_is_too_long_is_cut_where_it_is_quietest():
    sound = np.ones(40 * SAMPLE_RATE, np.float32)
    sound[20 * SAMPLE_RATE : 21 * SAMPLE_RATE] = 0
    joined, left = filled(JoinedSpeech(), Speech(0, sound), longest_samples=LONGEST_SAMPLES)
    assert left is not None
    assert 20 < joined.seconds < 21
    assert left.interval.start == joined.seconds
