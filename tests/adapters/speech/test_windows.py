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
    """`asked`: after which blocks windows are taken."""
    windows, start, number = Windows(), 0, 0
    windows.want(0)
    while start < len(samples):
        size = sizes[number % len(sizes)]
        windows.add(samples[start : start + size])
        if number in asked:
            windows.wanted()
        start, number = start + size, number + 1
    return windows


SPEECH = sound(2, 0.5, 3, 0.6, 1, 0.2, 4, 0.5, 20, 1, 2)
*WHOLE, TAIL = cut(SPEECH).wanted()


def starts(windows):
    return [window.start_sample for window in windows.wanted()]


def test_a_window_ends_in_the_first_pause_after_three_seconds_or_at_the_longest():
    ends = [window.end_seconds for window in WHOLE]
    assert 5.5 < ends[0] < 6.1
    assert all(after - before <= LONGEST_SECONDS for before, after in zip([0, *ends], ends, strict=False))
    assert any(31.8 < end < 32.8 for end in ends), "the pause behind speech without one"
    assert TAIL.start_sample == round(ends[-1] * SAMPLE_RATE)


@given(st.lists(st.integers(100, 100_000), min_size=1, max_size=5), st.sets(st.integers(0, 30)))
def test_the_windows_are_the_same_whatever_the_blocks_and_have_all_sound(sizes, asked):
    windows = cut(SPEECH, sizes, asked)
    assert starts(windows) == [span.start_sample for span in (*WHOLE, TAIL)]
    assert np.array_equal(np.concatenate([span.samples for span in windows.wanted()]), SPEECH)


def test_what_a_whole_part_has_is_forgotten_once_it_was_taken():
    windows = cut(SPEECH)
    first, second, third, *rest = starts(windows)
    windows.forget(third)
    assert starts(windows) == [first, second, third, *rest], "not taken yet"
    windows.want(second)
    windows.forget(third)
    windows.want(0)
    assert starts(windows) == [second, third, *rest]


def test_what_nobody_wants_is_kept_until_a_whole_part_has_it_and_not_cut():
    windows = cut(SPEECH, asked=())
    windows.want(None)
    at = 20 * SAMPLE_RATE
    windows.forget(at)
    assert windows.wanted() == []
    windows.want(0)
    assert starts(windows)[0] == at
    assert np.array_equal(np.concatenate([span.samples for span in windows.wanted()]), SPEECH[at:])


def test_much_sound_that_comes_at_once_is_not_kept():
    windows = cut(np.zeros(400 * SAMPLE_RATE, np.int16), asked=())
    first, *_, last = windows.wanted()
    assert last.end_seconds == 400
    assert 100 <= 400 - first.start_seconds <= 240
