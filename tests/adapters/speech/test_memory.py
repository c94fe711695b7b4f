"""Speech of any length is recognized in memory that does not grow with it."""

import faster_whisper.vad
import numpy as np
import pytest

from adapters.speech.voice_activity import find_speech

SECOND = 16_000


@pytest.mark.slow
def test_pieces_of_all_lengths_are_few_lengths_for_the_detector(monkeypatch) -> None:
    """Its library keeps a plan of memory for each length that it was ever given."""
    detector = faster_whisper.vad.get_vad_model()
    lengths = []

    def listening(sound):
        lengths.append(len(sound))
        return detector(sound)

    monkeypatch.setattr(faster_whisper.vad, "get_vad_model", lambda: listening)
    for number in range(30):
        noise = np.random.default_rng(number).normal(0, 300, 9 * SECOND + 1_601 * number)
        find_speech(noise.astype(np.int16))
    assert len(lengths) >= 30
    assert len(set(lengths)) <= 3
