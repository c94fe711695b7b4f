"""What is heard of a file, by a player that knows nothing of this project, and where in it a sound is found again."""

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from tests.adapters.audio.samples import Samples

RATE = 16_000
Heard = npt.NDArray[np.float64]


def noise(seconds: float, *, seed: int, rate: int = RATE, channels: int = 1) -> Samples:
    """Noise from 300 to 3000 Hz, which every codec keeps; each seed gives one that is unlike all others."""
    samples = round(seconds * rate)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(0, 1, samples))
    hertz = np.fft.rfftfreq(samples, 1 / rate)
    spectrum[(hertz < 300) | (hertz > 3000)] = 0
    wave = np.fft.irfft(spectrum, samples)
    return np.tile(wave * (8000 / max(1e-9, np.abs(wave).max())), (channels, 1)).astype(np.int16)


def heard(content: bytes, *, track: int = 0, on_its_clock: bool = False) -> Heard:
    """A track at 16 kHz, its channels' mean. `on_its_clock`: with silence where its times leave a gap."""
    blocks: list[npt.NDArray[Any]] = []
    count = 0
    resampler = None
    with av.open(io.BytesIO(content), "r") as container:
        for frame in container.decode(audio=track):
            gap = 0
            if on_its_clock and frame.pts is not None and frame.time_base is not None:
                gap = round(Fraction(frame.pts) * frame.time_base * RATE) - count
            if gap > RATE // 50:
                blocks.append(np.zeros(gap))
                count += gap
            form = (frame.format.name, frame.layout.name, frame.sample_rate)
            if resampler is None or resampler[0] != form:
                resampler = (form, av.AudioResampler("fltp", frame.layout, RATE))
            for resampled in resampler[1].resample(frame):
                blocks.append(resampled.to_ndarray().mean(axis=0) * 32768)
                count += resampled.samples
        if resampler is not None:
            blocks += [one.to_ndarray().mean(axis=0) * 32768 for one in resampler[1].resample(None)]
    return np.concatenate(blocks) if blocks else np.zeros(0)


@dataclass(frozen=True)
class Place:
    """`likeness`: the correlation there, 1 for the same sound. `seconds`: where the sound begins."""

    likeness: float
    seconds: float


def place_of(part: Heard, whole: Heard) -> Place:
    """Where `part` is most like a stretch of `whole`, both at 16 kHz."""
    if len(whole) < len(part):
        whole = np.pad(whole, (0, len(part) - len(whole)))
    size = 1 << (len(part) + len(whole)).bit_length()
    products = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size)), size)
    shifts = len(whole) - len(part) + 1
    sums = np.concatenate([[0.0], np.cumsum(whole**2)])
    powers = np.maximum(sums[len(part) :] - sums[: len(sums) - len(part)], 1.0)[:shifts]
    likenesses = products[:shifts] / np.sqrt(powers * max(float(np.sum(part**2)), 1.0))
    best = int(likenesses.argmax())
    return Place(float(likenesses[best]), best / RATE)
