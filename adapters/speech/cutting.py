"""Cuts sound of any length into spans of limited length, where it is quietest, in constant memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adapters.audio.decoding import SAMPLE_RATE, Samples

_FRAME_SAMPLES = SAMPLE_RATE // 50
_SMOOTHED_FRAMES = 5


@dataclass(frozen=True, slots=True)
class Span:
    """Some sound, 16 kHz mono, and where in the whole sound it begins."""

    start_sample: int
    samples: Samples

    @property
    def start_seconds(self) -> float:
        return self.start_sample / SAMPLE_RATE

    @property
    def end_seconds(self) -> float:
        return (self.start_sample + len(self.samples)) / SAMPLE_RATE


def pieces(blocks: Iterable[Samples], *, longest_seconds: int) -> Iterator[Span]:
    """The whole sound in consecutive spans, each at most `longest_seconds` long."""
    longest = longest_seconds * SAMPLE_RATE
    held: list[Samples] = []
    held_samples = start = 0
    for block in blocks:
        held.append(block)
        held_samples += len(block)
        while held_samples > longest:
            joined = np.concatenate(held)
            cut = quietest_point(joined[:longest])
            yield Span(start, joined[:cut])
            start += cut
            held, held_samples = [joined[cut:]], held_samples - cut
    if held_samples:
        yield Span(start, np.concatenate(held))


def quietest_point(samples: Samples | npt.NDArray[np.float32]) -> int:
    """Where in the last 40 % of the sound a cut does least harm: in the middle of its quietest tenth of a second."""
    earliest = len(samples) * 6 // 10
    tail = samples[earliest:].astype(np.float64)
    frames = len(tail) // _FRAME_SAMPLES
    if frames < _SMOOTHED_FRAMES:
        return max(1, earliest)
    energy = np.square(tail[: frames * _FRAME_SAMPLES]).reshape(frames, _FRAME_SAMPLES).mean(axis=1)
    smooth = np.convolve(energy, np.ones(_SMOOTHED_FRAMES), mode="valid")
    return earliest + int(smooth.argmin()) * _FRAME_SAMPLES + _SMOOTHED_FRAMES * _FRAME_SAMPLES // 2
