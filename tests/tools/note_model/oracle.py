"""What quoting can reach: the sentences that a greedy choice takes which knows the reference, and where they belong."""

from collections import Counter
from collections.abc import Sequence

from adapters.notes.note import Heading
from adapters.notes.quotable import Quotable
from adapters.notes.signs import COMMON
from tests.tools.note_model.corpus import ReferenceLine
from tests.tools.note_model.rouge import tokens


def best_choice(said: Sequence[Quotable], reference: str) -> list[int]:
    """One sentence after the other, each the one that raises ROUGE-1 F the most, until none does."""
    wanted = Counter(tokens(reference))
    left = {index: Counter(tokens(one.text)) for index, one in enumerate(said) if one.is_statement}
    chosen: list[int] = []
    taken: Counter[str] = Counter()
    best, matched, length = 0.0, 0, 0
    while left:
        gains = {index: _gain(words, wanted, taken) for index, words in left.items()}
        ranks = {
            index: 2 * (matched + gain) / (length + left[index].total() + wanted.total())
            for index, gain in gains.items()
        }
        index = max(ranks, key=lambda one: (ranks[one], -one))
        if ranks[index] <= best:
            break
        best, matched, length = ranks[index], matched + gains[index], length + left[index].total()
        taken += left.pop(index)
        chosen.append(index)
    return sorted(chosen)


def _gain(words: Counter[str], wanted: Counter[str], taken: Counter[str]) -> int:
    return sum(min(count, max(0, wanted[word] - taken[word])) for word, count in words.items())


def belonging(sentence: Quotable, lines: Sequence[ReferenceLine]) -> dict[Heading, float]:
    """How well a sentence fits what stands under each heading: the share of its own words in the line that has most."""
    words = set(tokens(sentence.text)) - COMMON
    found: dict[Heading, float] = {}
    for line in lines:
        if line.heading is not None and words:
            theirs = set(tokens(line.text))
            common = len(words & theirs)
            fit = common / len(words) + 0.5 * common / (len(theirs) + 3)
            found[line.heading] = max(found.get(line.heading, 0.0), fit)
    return {heading: fit for heading, fit in found.items() if fit > 0}
