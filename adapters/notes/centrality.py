"""Chooses sentences without understanding them: by the words that they share with the rest, or with a question."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from math import sqrt
from typing import Protocol, TypeVar

_SHORTEST_WORD = 4
_STEM = 5
"""Words that begin alike are taken for one: report, reports, reported; and so are user and users."""

_COMMON_WORDS = (
    "about actually after again also always been before being could does doing down each even every from going have "
    "having here into just kind know like look made make many maybe mean more most much must need only other over "
    "really right said same should some something still such sure take tell than that their them then there these "
    "they thing things think this those through very want well were what when where which while will with would "
    "yeah your yours please thank thanks"
)
_COMMON = frozenset(_COMMON_WORDS.split())


class Said(Protocol):
    """Some words that belong together."""

    @property
    def text(self) -> str: ...


_Said = TypeVar("_Said", bound=Said)


def most_central(clauses: Sequence[_Said], most: int) -> list[_Said]:
    """Up to `most` sentences, in their order: those whose words are said again and again."""
    return _best(clauses, _centrality(clauses), most)


def most_related(clauses: Sequence[_Said], question: str, most: int) -> list[_Said]:
    """Up to `most` sentences, in their order: those with the most words of `question`; none if they share none."""
    wanted = _stems(question)
    shared = [len(wanted & _stems(clause.text)) for clause in clauses]
    central = _centrality(clauses)
    ranks = [common + score / 1_000_000 for common, score in zip(shared, central, strict=True)]
    related = [index for index, common in enumerate(shared) if common]
    return _best([clauses[index] for index in related], [ranks[index] for index in related], most)


def _centrality(clauses: Sequence[Said]) -> list[float]:
    stems = [_stems(clause.text) for clause in clauses]
    said = Counter(stem for each in stems for stem in each)
    return [sum(said[stem] - 1 for stem in each) / sqrt(len(each) + 1) for each in stems]


def _stems(text: str) -> frozenset[str]:
    return frozenset(_stems_of(re.findall(r"\w+", text.lower())))


def _stems_of(words: Iterable[str]) -> Iterable[str]:
    return (word.rstrip("s")[:_STEM] for word in words if len(word) >= _SHORTEST_WORD and word not in _COMMON)


def _best(clauses: Sequence[_Said], scores: Sequence[float], most: int) -> list[_Said]:
    """Of equal ones the earlier."""
    chosen = sorted(range(len(clauses)), key=lambda index: (-scores[index], index))[:most]
    return [clauses[index] for index in sorted(chosen)]
