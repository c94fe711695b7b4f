"""Learns the weights of `adapters/notes/note_model.py`. The same examples give the same weights, on any machine.

Logistic regression, by Adam over all examples at once: a fixed number of steps from zero, so there is no seed. Sums are
made in a fixed order and without a linear algebra library. Only the exponential function may differ between machines,
in its last bit: probabilities are rounded, and so are the weights in the end.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

from adapters.notes.cues import cues_in
from adapters.notes.note import Heading, Section
from adapters.notes.note_model import HEADINGS, ONE, clinicians
from adapters.notes.quotable import Quotable, quotable, words_said
from adapters.notes.signs import EVEN, SIZE, signs_of_roles, signs_of_worth
from adapters.speech.transcript import Transcript
from tests.tools.note_model.corpus import (
    Example,
    as_engines_hear_it,
    as_people_write,
    as_written,
    without_speakers,
    words_alone,
)
from tests.tools.note_model.oracle import belonging, best_choice
from tests.tools.note_model.rouge import tokens

RENDERINGS: Sequence[Callable[[Example], Transcript]] = (
    as_written,
    without_speakers,
    as_people_write,
    as_engines_hear_it,
    words_alone,
)
STEPS = 100
_RATE = 0.05
_EXACT = float(1 << 24)
_PENALTY_OF_ROLE = 3e-4
_PENALTY_OF_WORTH = 4e-4
_PENALTY_OF_HEADINGS = 4e-4
_FAINTEST_FIT = 0.3

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Heard:
    """An example in one of its renderings."""

    example: Example
    said: list[Quotable]


def trained(examples: Sequence[Example], *, steps: int = STEPS) -> bytes:
    """The weights as they are in the file."""
    heard = [Heard(example, quotable(render(example))) for render in RENDERINGS for example in examples]
    of_role = _learned_roles(heard, steps)
    clinician = [_roles(one.said, of_role[:, 0]) for one in heard]
    signs = [each for one, likely in zip(heard, clinician, strict=True) for each in signs_of_worth(one.said, likely)]
    of_worth = _learned_worth(heard, signs, steps)
    of_headings = _learned_headings(heard, clinician, signs, steps)
    return _in_file(np.hstack([of_role, of_worth, of_headings]), _length(examples))


def _learned_roles(heard: Sequence[Heard], steps: int) -> Floats:
    labelled = [one for one in heard if any(sentence.speaker for sentence in one.said)]
    roles = [[float(sentence.speaker == "S1")] for one in labelled for sentence in one.said]
    signs = [each for one in labelled for each in signs_of_roles(one.said)]
    return _fitted(signs, np.array(roles), np.ones(len(signs)), _PENALTY_OF_ROLE, steps)


def _learned_worth(heard: Sequence[Heard], signs: Sequence[Sequence[int]], steps: int) -> Floats:
    worth = [[float(index in chosen)] for one in heard for chosen in [_best(one)] for index in range(len(one.said))]
    return _fitted(signs, np.array(worth), np.ones(len(signs)), _PENALTY_OF_WORTH, steps)


def _learned_headings(
    heard: Sequence[Heard], clinician: Sequence[Sequence[float]], signs: Sequence[Sequence[int]], steps: int
) -> Floats:
    """From what the reference has under some heading. The better a sentence fits there, the more it counts."""
    fits = np.array(
        [
            _fit(one, index, role)
            for one, roles in zip(heard, clinician, strict=True)
            for index, role in enumerate(roles)
        ]
    )
    best = fits.max(axis=1)
    counted = np.flatnonzero(best >= _FAINTEST_FIT)
    sharp = fits[counted] ** 4
    whole = sharp[:, 0].copy()
    for column in range(1, len(HEADINGS)):
        whole += sharp[:, column]
    counted_signs = [signs[index] for index in counted]
    return _fitted(counted_signs, sharp / whole[:, None], best[counted], _PENALTY_OF_HEADINGS, steps)


def _best(heard: Heard) -> set[int]:
    return set(best_choice(heard.said, heard.example.note))


def _fit(heard: Heard, index: int, clinician: float) -> list[float]:
    """How well it fits each heading: by the reference, which says things more than once, and by who says it how."""
    sentence = heard.said[index]
    fits = belonging(sentence, heard.example.lines)
    cue = _cue(sentence) if clinician > EVEN else "report"
    is_early = index < _EARLY * len(heard.said)
    return [fits.get(heading, 0.0) * _usual(heading, cue, is_early=is_early) for heading in HEADINGS]


def _cue(sentence: Quotable) -> str | None:
    """What a clinician's sentence is for, if its words tell."""
    cues = set(cues_in(" ".join(sentence.words)))
    if "plan" not in cues and _TESTS.intersection(sentence.words):
        return "result"
    return next((cue for cue in ("plan", "judgement", "finding") if cue in cues), None)


def _usual(heading: Heading, cue: str | None, *, is_early: bool) -> float:
    """Patients report. Clinicians find, judge and plan, which they seldom do before they have asked."""
    if is_early and heading.section in (Section.ASSESSMENT, Section.PLAN):
        return 0.5
    if cue == "report":
        return 1.0 if heading.section is Section.SUBJECTIVE else 0.5
    if cue is None:
        return 1.0
    return 1.5 if heading in _HEADINGS_OF[cue] else 0.7


_EARLY = 0.4
_TESTS = frozenset({"x-ray", "results", "echocardiogram", "ekg", "labs", "mri", "ct", "a1c", "ultrasound"})
_HEADINGS_OF = {
    "plan": {Heading.PLAN},
    "judgement": {Heading.ASSESSMENT},
    "finding": {Heading.EXAMINATION, Heading.RESULTS},
    "result": {Heading.RESULTS},
}


def _roles(said: Sequence[Quotable], weights: Floats) -> list[float]:
    return clinicians(said, [float(sum(weights[sign] for sign in signs)) for signs in signs_of_roles(said)])


def _length(examples: Sequence[Example]) -> tuple[float, float]:
    """The exponent and the logarithm of the factor by which a note's words grow with those that were said."""
    points = [(log(words_said(without_speakers(example))), log(len(tokens(example.note)))) for example in examples]
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    exponent = sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 1.0
    return exponent, middle_y - exponent * middle_x


def _fitted(signs: Sequence[Sequence[int]], wanted: Floats, counts: Floats, penalty: float, steps: int) -> Floats:
    columns = wanted.shape[1]
    features = np.fromiter((sign for each in signs for sign in each), np.int64)
    rows = np.repeat(np.arange(len(signs)), [len(each) for each in signs])
    share = counts / sum(counts.tolist())
    weights = np.zeros((columns, SIZE))
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, steps + 1):
        odds = [np.bincount(rows, column[features], len(signs)) for column in weights]
        slopes = [(likely - wanted[:, column]) * share for column, likely in enumerate(_likely(odds))]
        for column, slope in enumerate(slopes):
            gradient = np.bincount(features, slope[rows], SIZE) + penalty * weights[column]
            mean[column] = 0.9 * mean[column] + 0.1 * gradient
            square[column] = 0.999 * square[column] + 0.001 * gradient * gradient
            moved = (mean[column] / (1 - 0.9**step)) / (np.sqrt(square[column] / (1 - 0.999**step)) + 1e-8)
            weights[column] -= _RATE * moved
    return weights.T


def _likely(odds: list[Floats]) -> list[Floats]:
    if len(odds) == 1:
        return [_rounded(1 / (1 + np.exp(-odds[0])))]
    most = np.maximum.reduce(odds)
    each = [np.exp(one - most) for one in odds]
    whole = each[0].copy()
    for one in each[1:]:
        whole += one
    return [_rounded(one / whole) for one in each]


def _rounded(likely: Floats) -> Floats:
    return np.rint(likely * _EXACT) / _EXACT


def _in_file(weights: Floats, length: tuple[float, float]) -> bytes:
    numbers = [*(round(each * ONE) for each in length), *np.rint(weights * ONE).astype(int).ravel().tolist()]
    return np.array(array("h", numbers), dtype="<i2").tobytes()
