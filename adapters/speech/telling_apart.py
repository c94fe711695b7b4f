"""How many voices a recording has, and what each sounds like.

All windows are divided in two, and each half again, as long as the halves are two voices. Any cloud of points can be
divided into two that look different, also that of one voice. So a window is not compared with a mean that it is part
of, but with what is said at other times. One voice's halves then hardly differ: at most by 0.07 on readers, through a
telephone and in noise; two voices differ by 0.1 to 0.4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from adapters.speech.mel_bands import Floats
from adapters.speech.voiceprint import Voiceprint, embeddings_of

LEAST_MARGIN = 0.085
"""Between two voices: how much more alike windows are to others of their own voice than to those of the other."""

LEAST_MARGIN_OF_MORE = 0.12
"""Where there are two voices already: each part is smaller, and has some windows of several voices."""

LEAST_MARGIN_OF_JOINED = 0.095
_FEWEST_JOINED, _MOST_JOINED = 3, 60
_SMALLEST_SHARE = 0.2
"""For a division that is made by joining moments."""

_MOST_WINDOWS = 2000
"""Evenly spread over the recording: of many hours, these tell who speaks, and time grows with their number only."""

_CLEAR_SECONDS = 0.8
_FEWEST_MOMENTS = 2
_LEAST_SECONDS = 2.0
_MOST_VOICES = 8
_DIRECTIONS = 3
_MOST_ROUNDS = 30
_SAME_BREATH_SECONDS = 0.1
_MOMENT_SECONDS = 3.2

Numbers = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class ToldApart:
    """`voices`: the direction of each, as (voices, 256). `margin`: between the two that are most alike.

    `usual`: how much windows are like their own voice, on average.
    """

    voices: Floats
    margin: float
    usual: float


def told_apart(prints: Sequence[Voiceprint]) -> ToldApart | None:
    """None if there is one voice, or several that cannot be told apart. `prints`: in order of time."""
    clear = [one for one in prints if one.end - one.start >= _CLEAR_SECONDS]
    taken = [clear[index] for index in _spread(len(clear))]
    if not taken:
        return None
    heard = _Heard.of(taken)
    groups = _divided(heard, np.arange(len(taken)))
    if len(groups) == 1:
        return None
    voices = np.stack([_direction(heard.embeddings[group]) for group in groups])
    labels = _settled(heard.embeddings, voices)
    return _of_labels(heard, labels, len(groups))


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """Windows: their embeddings, how many seconds of sound each adds, and the number of the moment that each is in.

    A moment is what is said in one breath, but for long ones, which are several.
    """

    embeddings: Floats
    seconds: Floats
    moments: Numbers

    @classmethod
    def of(cls, prints: Sequence[Voiceprint]) -> "_Heard":
        starts, ends = np.array([one.start for one in prints]), np.array([one.end for one in prints])
        added = ends - np.maximum(starts, np.append(0.0, ends[:-1]))
        return cls(embeddings_of(prints), added.astype(np.float32), _moments(prints))


def _moments(prints: Sequence[Voiceprint]) -> Numbers:
    numbers, began = [0], prints[0].start
    for before, one in pairwise(prints):
        begins = one.start > before.end + _SAME_BREATH_SECONDS or one.start - began >= _MOMENT_SECONDS
        began = one.start if begins else began
        numbers.append(numbers[-1] + begins)
    return np.array(numbers)


def _spread(count: int) -> list[int]:
    taken = min(count, _MOST_WINDOWS)
    return [index * count // taken for index in range(taken)]


def _divided(heard: _Heard, group: Numbers) -> list[Numbers]:
    """The group, or its parts if it is of several voices."""
    waiting: list[Numbers] = [group]
    found: list[Numbers] = []
    while waiting:
        one = waiting.pop()
        halves = _halves(heard.embeddings[one])
        parts = [one[halves], one[~halves]]
        is_whole = len(one) == len(group)
        least_margin = LEAST_MARGIN if is_whole else LEAST_MARGIN_OF_MORE
        if len(found) + len(waiting) + 1 == _MOST_VOICES or not _are_two(heard, *parts, least_margin=least_margin):
            parts = _by_moments(heard) if is_whole else []
        waiting += parts
        found += [] if parts else [one]
    return found


def _are_two(heard: _Heard, first: Numbers, second: Numbers, *, least_margin: float) -> bool:
    for part in (first, second):
        if len(np.unique(heard.moments[part])) < _FEWEST_MOMENTS or heard.seconds[part].sum() < _LEAST_SECONDS:
            return False
    return _margin(heard, first, second) >= least_margin


def _by_moments(heard: _Heard) -> list[Numbers]:
    """The windows of two voices, found by joining the moments that are most alike (Ward's method); empty if it is one.

    It finds some divisions of short recordings that `_halves` does not. The smaller part must be larger for that.
    """
    numbers, moments = np.unique(heard.moments, return_inverse=True)
    if not _FEWEST_JOINED < len(numbers) <= _MOST_JOINED:
        return []
    sums = np.zeros((len(numbers), heard.embeddings.shape[1]), np.float32)
    np.add.at(sums, moments, heard.embeddings)
    sizes = np.bincount(moments).astype(np.float32)
    while len(sums) > 2:  # noqa: PLR2004 - two voices are looked for
        directions = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        weights = np.sqrt(np.outer(sizes, sizes) / np.add.outer(sizes, sizes))
        apart = (1 - directions @ directions.T) * weights
        np.fill_diagonal(apart, np.inf)
        kept, joined = sorted(int(index) for index in np.unravel_index(apart.argmin(), apart.shape))
        sums[kept] += sums[joined]
        sizes[kept] += sizes[joined]
        sums, sizes = np.delete(sums, joined, axis=0), np.delete(sizes, joined)
    settled = _settled(heard.embeddings, np.stack([_unit(each) for each in sums]))
    parts = [np.flatnonzero(settled == label) for label in range(2)]
    enough = all(
        len(np.unique(heard.moments[part])) >= _FEWEST_JOINED
        and heard.seconds[part].sum() >= _SMALLEST_SHARE * heard.seconds.sum()
        for part in parts
    )
    return parts if enough and _are_two(heard, *parts, least_margin=LEAST_MARGIN_OF_JOINED) else []


def _halves(embeddings: Floats) -> npt.NDArray[np.bool_]:
    """Which windows are in the first of two groups, of the best division found."""
    centred = embeddings - embeddings.mean(axis=0)
    best, most = np.zeros(len(embeddings), np.bool_), -np.inf
    for direction in _main_directions(centred):
        halves = centred @ direction > 0
        if halves.all() or not halves.any():
            continue
        voices = np.stack([_direction(embeddings[halves]), _direction(embeddings[~halves])])
        labels = _settled(embeddings, voices)
        alike = sum(float(np.linalg.norm(embeddings[labels == label].sum(axis=0))) for label in range(2))
        if alike > most:
            best, most = labels == 0, alike
    return best


def _main_directions(centred: Floats) -> Floats:
    """Those in which the windows differ most, the first one most of all.

    They are the first right singular vectors, found from what the dimensions have in common: of an hour's windows, that
    takes a tenth of the time that the windows themselves take.
    """
    exact = centred.astype(np.float64)
    vectors = np.linalg.eigh(exact.T @ exact).eigenvectors  # in order of their values, the smallest first
    directions: Floats = vectors.T[: -_DIRECTIONS - 1 : -1].astype(np.float32)
    return directions


def _settled(embeddings: Floats, voices: Floats) -> Numbers:
    """The voice of each window, after voices and windows have been fitted to each other in turns."""
    labels: Numbers = (embeddings @ voices.T).argmax(axis=1)
    for _ in range(_MOST_ROUNDS):
        present = [_direction(embeddings[labels == label]) for label in range(len(voices)) if (labels == label).any()]
        if len(present) < len(voices):
            break
        again = (embeddings @ np.stack(present).T).argmax(axis=1)
        if (again == labels).all():
            break
        labels = again
    return labels


def _margin(heard: _Heard, first: Numbers, second: Numbers) -> float:
    """How much more a window is like its own group's other moments than like the other group's, on average."""
    groups = [_ByMoment(heard, group) for group in (first, second)]
    margins = [own.alike(own) - own.alike(other) for own, other in (groups, groups[::-1])]
    return float(np.concatenate(margins).mean())


class _ByMoment:
    """Some windows, and the sum of those of each moment."""

    def __init__(self, heard: _Heard, group: Numbers) -> None:
        self._embeddings = heard.embeddings[group]
        self._moments = heard.moments[group]
        self._sums = np.zeros((heard.moments[-1] + 1, heard.embeddings.shape[1]), np.float32)
        np.add.at(self._sums, self._moments, self._embeddings)

    def alike(self, other: "_ByMoment") -> Floats:
        """How much each window is like the others' mean, without those of its own moment."""
        rest = other._embeddings.sum(axis=0) - other._sums[self._moments]  # noqa: SLF001 - of its own class
        lengths = np.maximum(np.linalg.norm(rest, axis=1), np.float32(1e-6))
        alike: Floats = np.einsum("ij,ij->i", self._embeddings, rest) / lengths
        return alike


def _of_labels(heard: _Heard, labels: Numbers, count: int) -> ToldApart | None:
    groups = [np.flatnonzero(labels == label) for label in range(count)]
    groups = [group for group in groups if len(group)]
    pairs = [_margin(heard, groups[first], groups[second]) for first in range(len(groups)) for second in range(first)]
    if not pairs or min(pairs) <= 0:
        return None
    voices = np.stack([_direction(heard.embeddings[group]) for group in groups])
    usual = float((heard.embeddings @ voices.T).max(axis=1).mean())
    return ToldApart(voices, min(pairs), usual)


def _direction(embeddings: Floats) -> Floats:
    return _unit(embeddings.sum(axis=0))


def _unit(vector: Floats) -> Floats:
    unit: Floats = vector / max(float(np.linalg.norm(vector)), 1e-6)
    return unit
