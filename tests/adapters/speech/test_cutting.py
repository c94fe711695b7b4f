"""Where sound is cut."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.speech.cutting import pieces
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
