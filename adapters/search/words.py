"""The words of a text as the search index knows them: without case, accents, punctuation and a plural's s.

Scripts that put no spaces between words are cut into single characters and pairs of neighbours.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

_ACCENTS = re.compile("[\u0300-\u036f]")
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+)"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese."""

_SHORTEST_PLURAL = 4


def indexed_words(text: str) -> list[str]:
    """All words of the text, in order, with repetitions."""
    return [word for run, is_unspaced in _runs(text) for word in (_all_of(run) if is_unspaced else [_singular(run)])]


def asked_words(text: str) -> list[str]:
    """The words of a query, each once, in order: those that a passage is expected to have."""
    found = [word for run, is_unspaced in _runs(text) for word in (_pairs(run) if is_unspaced else [_singular(run)])]
    return list(dict.fromkeys(found))


def _runs(text: str) -> Iterator[tuple[str, bool]]:
    """What is between spaces and punctuation, and whether it is of a script that has no spaces."""
    for word in _folded(text).split():
        for number, run in enumerate(_UNSPACED.split(word)):
            if run:
                yield run, number % 2 == 1


def _folded(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text).casefold()))
    return "".join(char if char.isalnum() or unicodedata.category(char)[0] == "M" else " " for char in text.lower())


def _all_of(run: str) -> Iterable[str]:
    return [*run, *_pairs(run)] if len(run) > 1 else [run]


def _pairs(run: str) -> Iterable[str]:
    return [run[start : start + 2] for start in range(len(run) - 1)] or [run]


def _singular(word: str) -> str:
    """By Harman's "S" stemmer (1991), which takes off no more than a plural's ending."""
    if len(word) < _SHORTEST_PLURAL or not word.endswith("s"):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    return word if word.endswith(("us", "ss")) else word[:-1]
