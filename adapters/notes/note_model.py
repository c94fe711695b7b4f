"""The model that the quoting writer has learned: who speaks, what is worth a note, and under which heading it belongs.

It is linear: each feature of a sentence (`signs.py`) has a weight for each question, and the weights are added up.
`note_model.md` says what it was made from, and how; `make note-model` makes it again.
"""

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, log
from pathlib import Path

from adapters.notes.cues import cues_in
from adapters.notes.note import Heading, Section
from adapters.notes.quotable import Quotable
from adapters.notes.signs import EVEN, SIZE, signs_of_roles, signs_of_worth

WEIGHTS = Path(__file__).with_name("note_model.bin")
HEADINGS = tuple(Heading)
COLUMNS = 2 + len(HEADINGS)
"""Weights of one feature: for the clinician's role, for the worth, and for each heading."""

ONE = 1024
"""A weight of 1 in the file, whose weights are integers of 16 bits, the lower byte first."""

CUE_COUNTS = 2.5
"""In favour of the section that the words of a sentence point to: logarithm of the odds."""

SHORT_CONVERSATION = 30
"""In statements. In longer ones it counts less: there the place in the conversation tells more than in short ones."""

_SECTION_OF_CUE = {
    "plan": Section.PLAN,
    "report": Section.SUBJECTIVE,
    "judgement": Section.ASSESSMENT,
    "finding": Section.OBJECTIVE,
    "symptom": Section.SUBJECTIVE,
}
_NEIGHBOURS = 2
_SURE = 0.98


@dataclass(frozen=True, slots=True)
class Judged:
    """A sentence and what the model says of it.

    `clinician`: how likely it is that a clinician says it. `worth`: the logarithm of the odds that it belongs in a
    note. `headings`: how likely each heading is, if it does; together 1.
    """

    sentence: Quotable
    clinician: float
    worth: float
    headings: dict[Heading, float]

    @property
    def is_clinicians(self) -> bool:
        return self.clinician > EVEN


class NoteModel:
    """`weights`: `COLUMNS` of them for each feature, behind two for the length of notes."""

    def __init__(self, weights: "array[int]") -> None:
        if len(weights) != 2 + SIZE * COLUMNS:
            raise ValueError("these are not the weights of this model")
        self._exponent, self._factor, *_ = (weight / ONE for weight in weights[:2])
        self._weights = weights[2:]

    @classmethod
    def from_bytes(cls, content: bytes) -> "NoteModel":
        """Raises: ValueError."""
        weights = array("h", content)
        if sys.byteorder == "big":
            weights.byteswap()
        return cls(weights)

    def usual_words(self, said: int) -> int:
        """How many words a note has of a conversation with so many."""
        return round(exp(self._factor + self._exponent * log(said))) if said else 0

    def judged(self, said: Sequence[Quotable]) -> list[Judged]:
        """Each sentence of a conversation, in order."""
        clinician = self._clinicians(said)
        cue_counts = CUE_COUNTS * min(1.0, SHORT_CONVERSATION / len(said)) ** 2 if said else 0.0
        return [
            Judged(sentence, role, *self._judgement(signs, sentence, cue_counts))
            for sentence, role, signs in zip(said, clinician, signs_of_worth(said, clinician), strict=True)
        ]

    def _judgement(
        self, signs: Sequence[int], sentence: Quotable, cue_counts: float
    ) -> tuple[float, dict[Heading, float]]:
        weights = self._weights
        sums = [sum(weights[sign * COLUMNS + column] for sign in signs) / ONE for column in range(1, COLUMNS)]
        worth, *of_headings = sums
        pointed = _SECTION_OF_CUE.get(next(cues_in(" ".join(sentence.words)), ""))
        of_headings = [
            odds + (cue_counts if heading.section is pointed else 0)
            for heading, odds in zip(HEADINGS, of_headings, strict=True)
        ]
        most = max(of_headings)
        odds = [exp(each - most) for each in of_headings]
        whole = sum(odds)
        return worth, {heading: each / whole for heading, each in zip(HEADINGS, odds, strict=True)}

    def _clinicians(self, said: Sequence[Quotable]) -> list[float]:
        weights = self._weights
        own = [sum(weights[sign * COLUMNS] for sign in signs) / ONE for signs in signs_of_roles(said)]
        return clinicians(said, own)


def clinicians(said: Sequence[Quotable], own: Sequence[float]) -> list[float]:
    """How likely it is of each sentence that a clinician says it. `own`: the log odds by the sentence's own words.

    Speakers that are told apart are compared as wholes. Without labels, the neighbours in the same segment count too.
    """
    of_speakers: dict[str, list[float]] = {}
    for sentence, odds in zip(said, own, strict=True):
        if sentence.speaker is not None:
            of_speakers.setdefault(sentence.speaker, []).append(odds)
    means = {speaker: sum(odds) / len(odds) for speaker, odds in of_speakers.items()}
    middle = (max(means.values()) + min(means.values())) / 2 if len(means) > 1 else None
    return [
        _by_turn(said, own, index)
        if middle is None or sentence.speaker is None
        else (_SURE if means[sentence.speaker] > middle else 1 - _SURE)
        for index, sentence in enumerate(said)
    ]


def _by_turn(said: Sequence[Quotable], own: Sequence[float], index: int) -> float:
    near = range(max(0, index - _NEIGHBOURS), min(len(said), index + _NEIGHBOURS + 1))
    odds = sum(own[other] for other in near if said[other].turn == said[index].turn)
    return 1 / (1 + exp(-max(-30.0, min(30.0, odds))))


@cache
def note_model() -> NoteModel:
    """The one that comes with this writer. It is read once."""
    return NoteModel.from_bytes(WEIGHTS.read_bytes())
