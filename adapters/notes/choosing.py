"""Chooses what is quoted: the sentences that are worth the most, none twice, and not more than notes usually have."""

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush

from adapters.notes.note import Section
from adapters.notes.note_model import HEADINGS, Judged
from adapters.notes.signs import COMMON, EVEN

SHORTEST_NOTE_WORDS = 150
REPETITION_COSTS = 1.5
"""Off the worth of a sentence whose words have all been quoted."""

LEAST_WORTH = -4.5
"""Of any sentence. It matters in short conversations, of which most is quoted."""

LEAST_LIKELY = 0.3
"""Of the section of a sentence that is the only one there."""


def chosen(judged: Sequence[Judged], usual_words: int) -> dict[int, Section]:
    """The numbers of the sentences in the note, in order, and the section of each.

    `usual_words`: how many a note of this conversation has.
    """
    said = {index for index, one in enumerate(judged) if one.sentence.is_statement}
    alone = _one_of_each_section(judged, said)
    budget = max(SHORTEST_NOTE_WORDS, usual_words)
    note = _Quoted(judged)
    for index in sorted(alone):
        note.quote(index)
    left = [(-judged[index].worth, index) for index in said - alone.keys() if judged[index].worth >= LEAST_WORTH]
    heapify(left)
    while left:
        rank, index = heappop(left)
        now = -note.worth_of(index)
        if now > rank and left and (now, index) > left[0]:
            heappush(left, (now, index))  # it has become worth less since it was ranked
            continue
        if -now < LEAST_WORTH or note.words + note.length_of(index) / 2 > budget:
            break
        if not note.has(index):
            note.quote(index)
    return {index: alone.get(index) or section_of(judged[index]) for index in sorted(note.quoted)}


def section_of(one: Judged) -> Section:
    """The likeliest."""
    likely = likelihoods(one)
    return max(likely, key=lambda section: likely[section])


def likelihoods(one: Judged) -> Mapping[Section, float]:
    return {
        section: sum(one.headings[heading] for heading in HEADINGS if heading.section is section) for section in Section
    }


def _one_of_each_section(judged: Sequence[Judged], said: Iterable[int]) -> dict[int, Section]:
    """The best that surely is in a section; where nothing surely is, what most likely is."""
    best: dict[Section, tuple[bool, float, int]] = {}
    for index in sorted(said):
        worth = judged[index].worth
        for section, likely in likelihoods(judged[index]).items():
            is_sure = likely > EVEN
            if likely >= LEAST_LIKELY and worth >= LEAST_WORTH:
                rank = (is_sure, worth if is_sure else likely, -index)
                best[section] = max(best.get(section, rank), rank)
    found: dict[int, Section] = {}
    for section, (_, _, index) in sorted(best.items(), key=lambda item: item[1], reverse=True):
        found.setdefault(-index, section)
    return found


class _Quoted:
    def __init__(self, judged: Sequence[Judged]) -> None:
        self._judged = judged
        self._known: set[str] = set()
        self._sentences: set[tuple[str, ...]] = set()
        self.quoted: list[int] = []
        self.words = 0

    def worth_of(self, index: int) -> float:
        """What it is worth beside what is quoted already: never more than before."""
        content = self._content(index)
        repeated = sum(word in self._known for word in content) / len(content) if content else 1.0
        return self._judged[index].worth - REPETITION_COSTS * repeated

    def length_of(self, index: int) -> int:
        sentence = self._judged[index].sentence
        return len(sentence.words) + len(sentence.answer)

    def has(self, index: int) -> bool:
        return self._said(index) in self._sentences

    def quote(self, index: int) -> None:
        self.quoted.append(index)
        self.words += self.length_of(index)
        self._known |= self._content(index)
        self._sentences.add(self._said(index))

    def _said(self, index: int) -> tuple[str, ...]:
        sentence = self._judged[index].sentence
        return (*sentence.words, *sentence.answer)

    def _content(self, index: int) -> set[str]:
        return set(self._said(index)) - COMMON
