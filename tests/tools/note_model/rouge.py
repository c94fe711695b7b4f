"""ROUGE-1, -2 and -L between a note and its reference (Lin: "ROUGE: A Package for Automatic Evaluation
of Summaries", 2004).

Tokens are runs of letters a-z and digits in small letters, without stemming, as in the common implementations. ROUGE-L
is of the whole text as one sequence.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Score:
    precision: float
    recall: float

    @property
    def f(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.lower())


def rouge_n(note: str, reference: str, n: int) -> Score:
    ours, theirs = _grams(tokens(note), n), _grams(tokens(reference), n)
    common = (ours & theirs).total()
    return Score(_share(common, ours.total()), _share(common, theirs.total()))


def rouge_l(note: str, reference: str) -> Score:
    ours, theirs = tokens(note), tokens(reference)
    common = _longest_common(ours, theirs)
    return Score(_share(common, len(ours)), _share(common, len(theirs)))


def _grams(said: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(said[start:] for start in range(n)), strict=False))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _longest_common(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """The length of the longest common subsequence, with the bits of one integer as a row of the table."""
    places: dict[str, int] = {}
    for index, token in enumerate(ours):
        places[token] = places.get(token, 0) | 1 << index
    full = (1 << len(ours)) - 1
    row = full
    for token in theirs:
        matched = row & places.get(token, 0)
        row = ((row + matched) | (row - matched)) & full
    return len(ours) - row.bit_count()
