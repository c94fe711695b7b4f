"""What a statement cites, looked up in the transcript. A statement holds if all that it cites is there.

A citation is a verbatim quote, and the number of the line that it is in. The quote is searched for tolerant of case
and punctuation, and never of other words. If it is in another line, that is where the statement's source is.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from adapters.notes.compared_words import compared_words
from adapters.notes.note import Source, Unsupported
from adapters.notes.numbered_lines import NumberedLine
from adapters.notes.said_numbers import are_all_said
from domain.languages import primary_language

MOST_CITATIONS = 8
"""Of one statement."""

FEWEST_WORDS = 3
"""Of a quote that is not wholly in the line that it names. "No" is said everywhere."""

_LINE_NUMBER = re.compile(r"\s*\[?(\d{1,9})\]?\s*")
_LINE_START = re.compile(r"\s*\[\d{1,9}\]\s*")


class Lookup(NamedTuple):
    """Where a statement's words are, in the transcript's order, or why it is unsupported."""

    sources: tuple[Source, ...]
    unsupported: Unsupported | None


class CitedLines:
    """The lines that a model was given, to look up what it cites of them."""

    def __init__(self, lines: Sequence[NumberedLine], *, language: str) -> None:
        self._numbers = {line.number for line in lines}
        self._is_english = primary_language(language) == "en"
        self._places = list(_places(lines))
        self._said = "".join(f" {place.word}" for place in self._places) + " "
        self._starts = list(accumulate((len(place.word) + 1 for place in self._places), initial=0))
        self._spans = _spans(self._places)
        self._labels = {line.label for line in lines if line.label}

    def lookup(self, text: str, cites: Any) -> Lookup:
        """Whether what a statement cites is there. `cites`: whatever the model wrote there."""
        found, quoted = [], []
        for cite in _listed(cites):
            try:
                first, last = self._find(cite)
            except _DoesNotHold as error:
                return Lookup((), error.why)
            found.append(self._source(first, last))
            quoted += [place.word for place in self._places[first : last + 1]]
        if not found:
            return Lookup((), Unsupported.NOT_CITED)
        if not are_all_said(compared_words(text), quoted, is_english=self._is_english):
            return Lookup((), Unsupported.NUMBER_NOT_CITED)
        return Lookup(tuple(sorted(set(found), key=lambda source: (source.from_word, source.to_word))), None)

    def _find(self, cite: Any) -> tuple[int, int]:
        """The places of the quote's first and last word. Raises: _DoesNotHold."""
        if not isinstance(cite, dict):
            raise _DoesNotHold(Unsupported.NOT_CITED)
        number, quote = _line_number(cite.get("line")), self._quote(cite.get("quote"))
        if number is not None and number not in self._numbers:
            raise _DoesNotHold(Unsupported.LINE_UNKNOWN)
        if not quote:
            raise _DoesNotHold(Unsupported.NOT_CITED)
        found = self._found_in(quote, self._spans.get(number)) if number is not None else None
        if found is None and len(quote) >= FEWEST_WORDS:
            found = self._found_in(quote, range(len(self._places)))
        if found is None:
            raise _DoesNotHold(Unsupported.QUOTE_NOT_FOUND)
        return found, found + len(quote) - 1

    def _quote(self, quote: Any) -> list[str]:
        """Its words. The number and the speaker of a line are often copied with it."""
        if not isinstance(quote, str):
            return []
        quote = _LINE_START.sub("", quote, count=1)
        label, colon, rest = quote.partition(":")
        return compared_words(rest if colon and label.strip() in self._labels else quote)

    def _found_in(self, quote: Sequence[str], span: range | None) -> int | None:
        """The place of its first word, if it is there: the first occurrence that has a word in `span`, or all of them
        if they are few."""
        if not span:
            return None
        outside = len(quote) - 1 if len(quote) >= FEWEST_WORDS else 0
        begins = self._starts[max(0, span[0] - outside)]
        ends = self._starts[min(len(self._places), span[-1] + 1 + outside)] + 1
        at = self._said.find(f" {' '.join(quote)} ", begins, ends)
        return None if at < 0 else bisect_right(self._starts, at) - 1

    def _source(self, first: int, last: int) -> Source:
        begins, ends = self._places[first], self._places[last]
        start, _ = begins.line.seconds(begins.index, begins.index)
        _, end = ends.line.seconds(ends.index, ends.index)
        return Source(
            from_word=begins.line.from_word + begins.index,
            to_word=ends.line.from_word + ends.index + 1,
            start=start,
            end=max(start, end),  # segments may overlap
        )


class _DoesNotHold(Exception):
    def __init__(self, why: Unsupported) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class _Place:
    """A word as it is compared. `index`: the place in its line of the word that it is of."""

    word: str
    line: NumberedLine
    index: int


def _places(lines: Sequence[NumberedLine]) -> Iterator[_Place]:
    for line in lines:
        for index, word in enumerate(line.words):
            for compared in compared_words(word):
                yield _Place(compared, line, index)


def _spans(places: Sequence[_Place]) -> dict[int, range]:
    """The places of each line's words, by its number."""
    spans: dict[int, range] = {}
    for index, place in enumerate(places):
        first = spans.get(place.line.number, range(index, index)).start
        spans[place.line.number] = range(first, index + 1)
    return spans


def _listed(cites: Any) -> list[Any]:
    """One citation is sometimes written without a list."""
    if isinstance(cites, dict):
        return [cites]
    return cites if isinstance(cites, list) and len(cites) <= MOST_CITATIONS else []


def _line_number(line: Any) -> int | None:
    """None if no line is named; a number that no line has if what is named is none."""
    if line is None:
        return None
    if isinstance(line, str) and (digits := _LINE_NUMBER.fullmatch(line)):
        return int(digits[1])
    return line if type(line) is int else 0
