"""What voices sound like in the speech of a recording: an embedding for each window of 1.6 s.

Windows are laid over what is said without a pause, not over pauses: a turn mostly ends with one, so few windows hold
two voices. Each stretch of speech is heard by itself, whatever was said before, so parts of a recording may be heard
in any order.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from adapters.audio.decoding import SAMPLE_RATE
from adapters.speech.joined_speech import Speech
from adapters.speech.mel_bands import FRAME_SAMPLES, Floats, mel_bands
from adapters.speech.voice_encoder import WINDOW_FRAMES, VoiceEncoder
from adapters.speech.voiceprint import Voiceprint

_FRAMES_PER_SECOND = SAMPLE_RATE // FRAME_SAMPLES
_HOP_FRAMES = 80
_PAUSE_FRAMES = 30
_AROUND_FRAMES = 5
_FEWEST_FRAMES = 40
"""Less than 0.4 s says nothing about a voice."""

_SMOOTHED_FRAMES = 5
_QUIET_PERCENTILE, _LOUD_PERCENTILE = 10, 95
_QUIET_SHARE = 0.35
_QUIETEST_DB = 35.0
_SILENCE = 1e-10

_BAND_POWER = 0.15
"""The mean sum of all bands that speech has at the level the encoder was trained on, -30 dB of full scale."""


def voiceprints(encoder: VoiceEncoder, speech: Iterable[Speech]) -> list[Voiceprint]:
    """In order of the speech. Memory grows with the longest stretch and the number of windows."""
    windows = [window for stretch in speech for window in _windows(stretch)]
    if not windows:
        return []
    embeddings = encoder.embeddings(np.stack([window.bands for window in windows]))
    return [
        Voiceprint.of(window.start, window.end, embedding)
        for window, embedding in zip(windows, embeddings, strict=True)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    start: float
    end: float
    bands: Floats


def _windows(speech: Speech) -> Iterator[_Window]:
    """Each as long as the encoder wants it; what is shorter is repeated."""
    begin = speech.start / SAMPLE_RATE
    bands = mel_bands(speech.sound)
    for first, after in _unbroken(bands):
        spoken = bands[first:after]
        if len(spoken) < _FEWEST_FRAMES:
            continue
        spoken = spoken * np.float32(_BAND_POWER / max(float(spoken.sum(axis=1).mean()), _SILENCE))
        for offset in _offsets(len(spoken)):
            part = spoken[offset : offset + WINDOW_FRAMES]
            start = begin + (first + offset) / _FRAMES_PER_SECOND
            whole = np.resize(part, (WINDOW_FRAMES, part.shape[1]))
            yield _Window(start, start + len(part) / _FRAMES_PER_SECOND, whole)


def _offsets(frames: int) -> list[int]:
    """Of windows that cover all frames evenly."""
    room = max(0, frames - WINDOW_FRAMES)
    steps = -(-room // _HOP_FRAMES)
    return [round(step * room / max(1, steps)) for step in range(steps + 1)]


def _unbroken(bands: Floats) -> list[tuple[int, int]]:
    """First and after-last frame of what is said without a pause."""
    loudness = 10 * np.log10(np.maximum(bands.sum(axis=1), _SILENCE))
    loudness = np.convolve(loudness, np.full(_SMOOTHED_FRAMES, 1 / _SMOOTHED_FRAMES), mode="same")
    quiet, loud = np.percentile(loudness, [_QUIET_PERCENTILE, _LOUD_PERCENTILE])
    heard = np.flatnonzero(loudness > max(quiet + _QUIET_SHARE * (loud - quiet), loud - _QUIETEST_DB))
    runs = np.split(heard, np.flatnonzero(np.diff(heard) > _PAUSE_FRAMES) + 1) if len(heard) else []
    return [(max(0, int(run[0]) - _AROUND_FRAMES), min(len(bands), int(run[-1]) + 1 + _AROUND_FRAMES)) for run in runs]
