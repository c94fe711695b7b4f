"""Call recordings made for tests: our own spoken dialogues, each speaker on a channel of their own."""

from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from adapters.audio.decoding import SAMPLE_RATE, Samples, pcm_blocks
from service import sample
from tests.places import SHARED_DATA
from tests.tools import dialogues

Sound = npt.NDArray[np.float64]

_FRAME = SAMPLE_RATE // 50
_PAUSE_FRAMES = 32
"""Turns are parted by 0.7 s of silence; pauses within them are shorter."""


def texts(name: str) -> tuple[str, str]:
    """What the doctor and what the patient says."""
    lines = _text(name).splitlines()
    return tuple("\n".join(line for line in lines if line.startswith(f"{who}:")) for who in ("Doctor", "Patient"))  # type: ignore[return-value]


@cache
def speakers(name: str, seconds: float | None = None) -> tuple[Sound, Sound]:
    """The doctor's sound and the patient's, one after another in time; the first turns of the dialogue only."""
    samples = _samples(name)
    begins = _turns(samples)
    speaking = [line.partition(":")[0] for line in _text(name).splitlines()]
    assert len(begins) == len(speaking), (len(begins), len(speaking))
    sounds = {who: np.zeros(len(samples)) for who in ("Doctor", "Patient")}
    for who, (begin, end) in zip(speaking, pairwise([*begins, len(samples)]), strict=True):
        sounds[who][begin:end] = samples[begin:end]
    length = len(samples) if seconds is None else round(seconds * SAMPLE_RATE)
    return sounds["Doctor"][:length], sounds["Patient"][:length]


def decibels(value: float) -> float:
    return float(10 ** (value / 20))


def delayed(sound: Sound, seconds: float) -> Sound:
    late = round(seconds * SAMPLE_RATE)
    return np.concatenate([np.zeros(late), sound[: len(sound) - late]])


def noise(level: float, seed: int, like: Sound) -> Sound:
    """White noise at a level in decibels of full scale."""
    return np.random.default_rng(seed).normal(0, 32768 * decibels(level), len(like))


def channels(*sounds: Sound) -> Samples:
    return np.rint(np.stack(sounds)).clip(-32768, 32767).astype(np.int16)


def call(
    name: str,
    seconds: float | None = None,
    *,
    crosstalk: float = -200,
    delay: float = 0.0,
    hiss: float = -70,
    gains: tuple[float, float] = (0, 0),
) -> Samples:
    """Both sides of a call, each with the other at `crosstalk` decibels, with noise, and recorded at these gains."""
    one, other = speakers(name, seconds)
    left = (one + delayed(other, delay) * decibels(crosstalk)) * decibels(gains[0])
    right = (other + delayed(one, delay) * decibels(crosstalk)) * decibels(gains[1])
    return channels(left + noise(hiss, 1, one), right + noise(hiss, 2, one))


def _text(name: str) -> str:
    return sample.spoken_text() if name == "headache" else dialogues.text(name)


def _samples(name: str) -> Samples:
    if name != "headache":
        return dialogues.samples(name)
    with sample.audio_file() as path:
        return np.concatenate(list(pcm_blocks(lambda: path.open("rb"))))


def _turns(samples: Samples) -> list[int]:
    """Where each turn begins, in samples."""
    framed = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    loud = np.flatnonzero(np.sqrt(np.square(framed).mean(axis=1)) > 60)
    gaps = np.flatnonzero(np.diff(loud) > _PAUSE_FRAMES)
    return [max(0, (int(frame) - 10) * _FRAME) for frame in (loud[0], *loud[gaps + 1])]


def human(name: str) -> Sound:
    """A recording of real people that is kept beside the repository. Its level is made that of our dialogues."""
    path = SHARED_DATA / "speech" / name
    samples = np.concatenate(list(pcm_blocks(lambda: path.open("rb"))))
    return samples * (6_000 / np.percentile(np.abs(samples), 95))
