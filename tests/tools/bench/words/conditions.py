"""The conditions in which recordings are heard: as they are, and degraded by `degrading`."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from adapters.audio.decoding import Samples
from adapters.audio.pcm import pcm_file
from tests.tools.bench.words import degrading
from tests.tools.bench.words.sets import Clip

CLEAN = "clean"

Degrade = Callable[[Samples, Sequence[Samples], np.random.Generator], Samples]
"""Takes a recording, the others, and a random generator."""


def _plainly(change: Callable[[Samples], Samples]) -> Degrade:
    return lambda samples, _, __: change(samples)


def _noisily(make: Callable[[int, np.random.Generator], degrading.Sound], ratio_db: float) -> Degrade:
    return lambda samples, _, random: degrading.in_noise(samples, make(len(samples), random), ratio_db=ratio_db)


def _babbling(samples: Samples, others: Sequence[Samples], random: np.random.Generator) -> Samples:
    return degrading.in_noise(samples, degrading.babble(others, len(samples), random), ratio_db=10)


DEGRADED: dict[str, Degrade] = {
    "telephone": _plainly(degrading.telephone),
    "opus-16": _plainly(degrading.opus),
    "white-15": _noisily(degrading.white, 15),
    "pink-15": _noisily(degrading.pink, 15),
    "white-5": _noisily(degrading.white, 5),
    "pink-5": _noisily(degrading.pink, 5),
    "babble-10": _babbling,
    "quiet": _plainly(degrading.quiet),
}
CONDITIONS = (CLEAN, *DEGRADED)


def in_condition(clip: Clip, condition: str, others: Sequence[Clip], folder: Path) -> Path:
    """The clip's own file, or one written to `folder` in that condition."""
    if condition == CLEAN:
        return clip.path
    random = np.random.default_rng(zlib.crc32(f"{condition} {clip.name}".encode()))
    voices = [other.samples for other in others if other != clip]
    return written(DEGRADED[condition](clip.samples, voices, random), folder / f"{clip.path.stem}-{condition}.wav")


def written(samples: Samples, path: Path) -> Path:
    path.write_bytes(pcm_file(samples.tobytes()).read())
    return path
