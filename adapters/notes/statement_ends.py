"""Where a statement begins and ends among the words that were said, and whether it is whole."""

import re
from collections.abc import Sequence

from adapters.notes.cues import BODY
from adapters.notes.spoken_words import (
    FILLERS_AFTER,
    FILLERS_BEFORE,
    INTRODUCTIONS,
    JUDGING_FILLERS,
    NEVER_LAST,
    NEVER_LAST_PAIRS,
    PHRASES_AROUND,
    SUBJECTS,
)

FEWEST_STATEMENT_WORDS = 3
TERSE_WORDS = 2
"""Of a finding such as "Lungs clear." """

MOST_LOOSE_WORDS = 7
"""Of words that only introduce: "based on the x-ray and your exam,"."""

_NO_LETTERS = re.compile(r"[^\w'%/.-]+|^[.'-]+|[.'-]+$")


def bare(word: str) -> str:
    """In small letters and without the punctuation around it; empty for punctuation alone."""
    return _NO_LETTERS.sub("", word.lower())


def bare_words(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(said for said in map(bare, words) if said)


def trimmed(words: Sequence[str]) -> tuple[int, int]:
    """Where what is said begins, and the word after its end, without fillers around it. A full stop stays."""
    said = [bare(word) for word in words]
    begin, end = 0, len(words)
    while begin < end and (step := _filler(said[begin:end], words[begin])):
        begin += step
    while end > begin and (step := _filler_at_end(said[begin:end], words[begin:end])):
        end -= step
    while end < len(words) and not said[end]:
        end += 1
        if words[end - 1] in (".", "!", "?"):
            break
    return begin, end


def _filler(said: Sequence[str], word: str) -> int:
    """How many words at the beginning of `said` are none of the statement's. `word`: the first as it was written."""
    if said[0] in JUDGING_FILLERS:
        stands_apart = not word[-1].isalnum() or len(said) == 1 or said[1] in SUBJECTS | FILLERS_BEFORE | {""}
        return int(stands_apart)
    if not said[0] or said[0] in FILLERS_BEFORE:
        return 1
    return next((len(phrase) for phrase in PHRASES_AROUND if tuple(said[: len(phrase)]) == phrase), 0)


def _filler_at_end(said: Sequence[str], words: Sequence[str]) -> int:
    if said[-1] in JUDGING_FILLERS & FILLERS_AFTER:
        return int(len(words) == 1 or not words[-2][-1].isalnum())
    if not said[-1] or said[-1] in FILLERS_AFTER:
        return 1
    return next((len(phrase) for phrase in PHRASES_AROUND if tuple(said[-len(phrase) :]) == phrase), 0)


def breaks_off(words: Sequence[str]) -> bool:
    """Whether nothing ends the sentence but its speaker: "it was the", "before all of this-"."""
    if words[-1].endswith("-"):
        return True
    said = bare_words(words)
    if words[-1][-1] == "," and len(set(said)) <= FEWEST_STATEMENT_WORDS <= len(said):
        return True
    return words[-1][-1] not in ".!?" and (said[-1] in NEVER_LAST or said[-2:] in NEVER_LAST_PAIRS)


def only_introduces(words: Sequence[str]) -> bool:
    """ "Other than during the pollen," and nothing else."""
    said = bare_words(words)
    if words[-1][-1] != "," or len(said) > MOST_LOOSE_WORDS or any(map(str.isdigit, "".join(said))):
        return False
    return said[0] in INTRODUCTIONS or said[0] in ("which", "based") or said[:2] == ("other", "than")


def is_terse_finding(words: Sequence[str]) -> bool:
    """ "Lungs clear." or "Temperature 38." """
    said = bare_words(words)
    says_what = any(map(str.isdigit, "".join(said))) or BODY.match(" ".join(said)) is not None
    return len(said) == TERSE_WORDS and words[-1][-1] == "." and says_what
