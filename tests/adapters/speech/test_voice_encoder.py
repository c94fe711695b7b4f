"""The voice encoder's arithmetic, beside a slow and plain one written from the formulas; and its weights."""

import hashlib
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from adapters.speech import voice_encoder
from adapters.speech.mel_bands import BANDS, mel_bands
from adapters.speech.port import EngineUnavailable
from adapters.speech.voice_encoder import CELLS, SHAPES, WEIGHTS, WEIGHTS_SHA256, WINDOW_FRAMES, VoiceEncoder


def plainly_embedded(frames: np.ndarray) -> np.ndarray:
    """One window, gate by gate, with floats of 64 bits."""
    values = np.frombuffer(WEIGHTS.read_bytes(), "<f2").astype(np.float64)
    ends = np.cumsum([math.prod(shape) for shape in SHAPES])
    arrays = [part.reshape(shape) for part, shape in zip(np.split(values, ends[:-1]), SHAPES, strict=True)]

    def logistic(sums: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-sums))

    for layer in range(3):
        of_input, of_state, bias = arrays[3 * layer : 3 * layer + 3]
        state, cell, states = np.zeros(CELLS), np.zeros(CELLS), []
        for frame in frames:
            entering, kept, candidate, shown = (of_input @ frame + of_state @ state + bias).reshape(4, CELLS)
            cell = logistic(kept) * cell + logistic(entering) * np.tanh(candidate)
            state = logistic(shown) * np.tanh(cell)
            states.append(state)
        frames = np.array(states)
    lit = np.maximum(0, arrays[-2] @ frames[-1] + arrays[-1])
    return lit / np.linalg.norm(lit)


def bands_of_noise(windows: int) -> np.ndarray:
    return np.random.default_rng(windows).exponential(0.004, (windows, WINDOW_FRAMES, BANDS)).astype(np.float32)


def test_embeddings_are_those_of_the_formulas():
    windows = bands_of_noise(2)
    embedded = VoiceEncoder.installed().embeddings(windows)
    assert embedded.shape == (2, CELLS)
    assert np.allclose(embedded, [plainly_embedded(window.astype(np.float64)) for window in windows], atol=1e-4)


@pytest.mark.slow
def test_a_window_s_embedding_does_not_depend_on_the_windows_beside_it():
    windows = bands_of_noise(66)
    encoder = VoiceEncoder.installed()
    together, alone = encoder.embeddings(windows), encoder.embeddings(windows[65:66])
    assert np.allclose(together[65], alone[0], atol=1e-5)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert encoder.embeddings(windows[:0]).shape == (0, CELLS)


def test_a_tone_is_in_the_bands_around_its_frequency():
    seconds = np.arange(16_000) / 16_000
    for hertz in (200, 1_000, 3_000, 7_000):
        bands = mel_bands((0.1 * np.sin(2 * np.pi * hertz * seconds)).astype(np.float32))
        assert bands.shape == (101, BANDS)
        mels = [mels_of(edge) for edge in (0, 8_000)]
        centres = np.linspace(*mels, BANDS + 2)[1:-1]
        loudest = int(bands[50].argmax())
        assert abs(centres[loudest] - mels_of(hertz)) <= (centres[1] - centres[0])


def test_a_band_is_the_weighted_sum_of_the_powers_within_it():
    sound = np.random.default_rng(1).normal(0, 0.1, 1_600).astype(np.float32)
    window = sound[800 - 200 : 800 + 200] * [0.5 - 0.5 * math.cos(2 * math.pi * n / 400) for n in range(400)]
    edges = [hertz_of(mels_of(8_000) * number / (BANDS + 1)) for number in range(BANDS + 2)]
    expected = np.zeros(BANDS)
    for bin_number in range(201):
        hertz = bin_number * 40
        waves = np.exp(-2j * np.pi * bin_number * np.arange(400) / 400)
        power = abs(np.dot(window, waves)) ** 2
        for band, ((low, centre), (_, high)) in enumerate(pairwise(pairwise(edges))):
            slope = min((hertz - low) / (centre - low), (high - hertz) / (high - centre))
            expected[band] += power * max(0.0, slope) * 2 / (high - low)
    assert np.allclose(mel_bands(sound)[5], expected, rtol=1e-3)


def mels_of(hertz: float) -> float:
    return 3 * hertz / 200 if hertz < 1_000 else 15 + 27 * math.log(hertz / 1_000) / math.log(6.4)


def hertz_of(mels: float) -> float:
    return 200 * mels / 3 if mels < 15 else 1_000 * 6.4 ** ((mels - 15) / 27)


def test_the_weights_are_the_recorded_ones_and_their_guide_says_so():
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() == WEIGHTS_SHA256
    assert WEIGHTS_SHA256 in WEIGHTS.with_suffix(".md").read_text(encoding="utf-8")


def test_damaged_weights_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    damaged = tmp_path / "voice_encoder.bin"
    monkeypatch.setattr(voice_encoder, "WEIGHTS", damaged)
    with pytest.raises(EngineUnavailable, match="cannot be read"):
        VoiceEncoder.installed()
    damaged.write_bytes(WEIGHTS.read_bytes()[:-1] + b"\0")
    with pytest.raises(EngineUnavailable, match="is damaged"):
        VoiceEncoder.installed()
    with pytest.raises(ValueError, match="not the weights"):
        VoiceEncoder(bytes(100))
