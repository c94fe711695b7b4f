"""Windows for who listens along: cut at pauses, by the samples alone, and never long."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from adapters.audio.decoding import SAMPLE_RATE
from adapters.speech.windows import LONGEST_SECONDS, Windows


def sound(*seconds, seed=1):
    """Noise that is loud for so many seconds, then quiet for so many, and so on."""
    random = np.random.default_rng(seed)
    return np.concatenate(
        [
            random.normal(0, 20 if number % 2 else 3000, round(length * SAMPLE_RATE)).astype(np.int16)
            for number, length in enumerate(seconds)
        ]
    )


def cut(samples, sizes=(SAMPLE_RATE,), asked=range(1_000_000)):
    """`asked`: after which blocks somebody wants windows."""
    windows, start, number = Windows(), 0, 0
    while start < len(samples):
        size = sizes[number % len(sizes)]
        windows.add(samples[start : start + size])
        if number in asked:
            windows.since(0)
        start, number = start + size, number + 1
    return windows


SPEECH = sound(3, 0.5, 2, 0.6, 1, 0.2, 4, 0.5, 20, 1, 2)
*WHOLE, TAIL = cut(SPEECH).since(0)


def test_a_window_ends_in_the_first_pause_after_four_seconds_or_at_the_longest():
    ends = [window.end_seconds for window in WHOLE]
    assert 5.5 < ends[0] < 6.1
    assert all(after - before <= LONGEST_SECONDS for before, after in zip([0, *ends], ends, strict=False))
    assert any(31.8 < end < 32.8 for end in ends), "the pause behind speech without one"
    assert TAIL.start_sample == round(ends[-1] * SAMPLE_RATE)


@given(st.lists(st.integers(100, 100_000), min_size=1, max_size=5), st.sets(st.integers(0, 30)))
def test_the_windows_are_the_same_whatever_the_blocks_and_have_all_sound(sizes, asked):
    spans = cut(SPEECH, sizes, asked).since(0)
    assert [span.start_sample for span in spans] == [span.start_sample for span in (*WHOLE, TAIL)]
    assert np.array_equal(np.concatenate([span.samples for span in spans]), SPEECH)


def test_what_is_forgotten_is_gone_and_the_window_in_the_middle_stays():
    windows = cut(SPEECH)
    _, second, third, *_ = windows.since(0)
    windows.forget(second.start_sample + 1)
    assert windows.since(0)[0].start_sample == second.start_sample
    assert windows.since(second.start_sample + 1)[0].start_sample == third.start_sample


def test_sound_that_nobody_asked_for_is_kept_no_longer_than_a_part_needs_it():
    windows = cut(SPEECH, asked=())
    at = 20 * SAMPLE_RATE
    windows.forget(at)
    spans = windows.since(0)
    assert spans[0].start_sample == at
    assert np.array_equal(np.concatenate([span.samples for span in spans]), SPEECH[at:])
