"""Where sound is cut."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.speech.cutting import pieces
from adapters.speech.speech_spans import speech_spans
from tests.adapters.audio.samples import Samples

RATE = 16_000


def noise(seconds: float, loudness: float = 3_000) -> Samples:
    return np.random.default_rng(1).normal(0, loudness, int(seconds * RATE)).astype(np.int16)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 3 * RATE), max_size=8), st.integers(1, 3))
def test_pieces_together_are_the_whole_sound(lengths: list[int], longest_seconds: int) -> None:
    blocks = [noise(length / RATE) for length in lengths]
    found = list(pieces(blocks, longest_seconds=longest_seconds))
    whole = np.concatenate([np.zeros(0, np.int16), *blocks])
    assert np.array_equal(np.concatenate([np.zeros(0, np.int16), *(piece.samples for piece in found)]), whole)
    assert all(0 < len(piece.samples) <= longest_seconds * RATE for piece in found)
    for piece in found:
        assert np.array_equal(whole[piece.start_sample :][: len(piece.samples)], piece.samples)


def test_a_cut_falls_into_a_pause() -> None:
    sound = np.concatenate([noise(7), noise(0.4, loudness=5), noise(9)])
    first, *_ = pieces([sound], longest_seconds=10)
    assert 7 < first.end_seconds < 7.4


def test_speech_without_a_pause_is_cut_into_bounded_spans_that_miss_nothing() -> None:
    hum = voiced(40)
    spans = list(speech_spans(np.array_split(hum, 57), longest_seconds=10))
    assert max(len(span.samples) for span in spans) <= 10.1 * RATE
    assert sum(len(span.samples) for span in spans) >= 39 * RATE
    assert [span.start_sample for span in spans[1:]] == [round(span.end_seconds * RATE) for span in spans[:-1]]


def test_silence_holds_no_speech() -> None:
    assert list(speech_spans([np.zeros(5 * RATE, np.int16)], longest_seconds=10)) == []
    assert list(speech_spans([], longest_seconds=10)) == []


def test_speech_up_to_the_last_sample_is_kept() -> None:
    for tail in (0, 1, 479, 480):
        sound = np.concatenate([np.zeros(RATE, np.int16), voiced(2)[: 60 * 480 + tail]])
        last = list(speech_spans([sound], longest_seconds=10))[-1]
        assert last.end_seconds > len(sound) / RATE - 0.1


def voiced(seconds: float) -> Samples:
    """A vowel-like buzz whose loudness wavers: what a voice detector takes for speech, without a pause."""
    time = np.arange(int(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 120 * harmonic * time) / harmonic for harmonic in range(1, 25))
    return np.asarray(buzz * (3_000 + 1_500 * np.sin(2 * np.pi * 4 * time)), np.int16)
