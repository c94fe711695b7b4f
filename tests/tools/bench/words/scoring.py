"""Counts words: wrong ones, and those that one engine found and another did not."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from service.sample.word_error_rate import word_error_rate
from tests.tools.bench.words.normalizer import normalized


@dataclass(frozen=True, slots=True)
class Score:
    """The number of insertions, deletions and substitutions, and of the words that were said."""

    said: int = 0
    errors: int = 0

    @property
    def rate(self) -> float:
        return self.errors / max(self.said, 1)

    def __add__(self, other: "Score") -> "Score":
        return Score(self.said + other.said, self.errors + other.errors)


def score(said: str, heard: str) -> Score:
    """The errors in what was heard, after both texts were normalized."""
    reference, hypothesis = joined_alike(normalized(said), normalized(heard))
    rate = word_error_rate(" ".join(reference), " ".join(hypothesis))
    return Score(len(reference), round(rate * max(len(reference), 1)))


def lost_words(said: str, heard: str, heard_by_other: str) -> int:
    """How many words the other heard correctly where this one has no word at all."""
    reference, ours, others = joined_alike(normalized(said), normalized(heard), normalized(heard_by_other))
    return len(_missing(reference, ours) & _found(reference, others))


def joined_alike(*texts: list[str]) -> list[list[str]]:
    """Two neighbours become one word wherever any of the texts joins them: "box car" and "boxcar" are the same."""
    known = {word for text in texts for word in text}
    return [_joined(text, known) for text in texts]


def _joined(words: list[str], known: set[str]) -> list[str]:
    joins = {(first, second) for first, second in pairwise(words) if first + second in known}
    joined: list[str] = []
    rest = list(reversed(words))
    while rest:
        word = rest.pop()
        joined.append(word + rest.pop() if rest and (word, rest[-1]) in joins else word)
    return joined


def _found(reference: Sequence[str], heard: Sequence[str]) -> set[int]:
    blocks = SequenceMatcher(None, reference, heard, autojunk=False).get_matching_blocks()
    return {position for block in blocks for position in range(block.a, block.a + block.size)}


def _missing(reference: Sequence[str], heard: Sequence[str]) -> set[int]:
    """Positions in the reference for which nothing was heard: in a stretch with too few words, those at its end."""
    missing: set[int] = set()
    for _, start, end, heard_start, heard_end in SequenceMatcher(None, reference, heard, autojunk=False).get_opcodes():
        missing |= set(range(min(end, start + heard_end - heard_start), end))
    return missing
