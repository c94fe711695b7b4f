"""Turns numbers in words and in figures into digits. Every digit is a separate word.

How a number is read aloud does not tell how it is grouped: "thirty three four or six ninety two" is 33, 4 or 692, and
so is "33-4 or 6, 92". As single digits all of them are `3 3 4 or 6 9 2`. An ordinal marks its last digit (`2 1th`), and
so does a decade (`1 9 6 0s`). The price: a wrong number of three digits counts as up to three errors, and a correct one
as three words.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


def in_digits(words: Sequence[str]) -> Iterator[str]:
    """The words with every number as its digits. A number in figures may end in "th" or "s"."""
    reader = _Reader(words)
    while not reader.is_at_end:
        digits, ending = reader.number()
        if digits is None:
            yield reader.next()
        else:
            yield from digits[:-1]
            yield digits[-1] + ending


# fmt: off
_BELOW_TWENTY = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
# fmt: on
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_IRREGULAR = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_SCALES = {"thousand": 1000, "million": 10**6, "billion": 10**9}


@dataclass(frozen=True, slots=True)
class _Number:
    """What one word says about a number; `ending` is "th" for an ordinal and "s" for a decade."""

    value: int
    ending: str = ""

    @property
    def takes_a_unit(self) -> bool:
        return self.value in range(20, 100, 10) and not self.ending


def _ordinal(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    return word.removesuffix("y") + "ieth" if word.endswith("y") else word + "th"


_NUMBERS = {word: _Number(value) for value, word in enumerate(_BELOW_TWENTY)}
_NUMBERS |= {word: _Number(value) for value, word in zip(range(20, 100, 10), _TENS, strict=True)}
_NUMBERS |= {_ordinal(word): _Number(number.value, "th") for word, number in list(_NUMBERS.items())}
_NUMBERS |= {word[:-1] + "ies": _Number(value, "s") for value, word in zip(range(20, 100, 10), _TENS, strict=True)}


class _Reader:
    """Reads numbers from a list of words, each as long as English allows: "one hundred and sixty" is one."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._at = 0
        self._number_ended_at = -1

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._words)

    def next(self) -> str:
        self._at += 1
        return self._words[self._at - 1]

    def number(self) -> tuple[str | None, str]:
        """The digits of the number that begins here, and its ending; no digits when no number begins here."""
        if self._peek() in {"oh", "o"} and self._number_ended_at == self._at and self._simple(self._peek(1)):
            digits, ending = "0", ""
            self._at += 1
        elif re.fullmatch(r"\d+(?:th|s)?", self._peek()) and self._peek(1) not in {"hundred", *_SCALES}:
            digits, ending = re.match(r"(\d+)(.*)", self.next()).groups()  # type: ignore[union-attr]
        elif (number := self._whole()) is not None:
            digits, ending = str(number.value), number.ending
        else:
            return None, ""
        self._number_ended_at = self._at
        return digits, ending

    def _whole(self) -> _Number | None:
        """Hundreds, and falling scales with hundreds between: "two million three hundred thousand and five"."""
        total, below = 0, 10**12
        ending = ""
        while not ending:
            began = self._at
            if total and self._peek() == "and":
                self._at += 1
            hundreds = self._hundreds(is_first=not total)
            scale = _SCALES.get(self._peek(), 1) if hundreds and not hundreds.ending else 1
            fits = hundreds is not None and hundreds.value * scale < below and (hundreds.value or not total)
            if hundreds is None or not fits:
                self._at = began
                break
            total, ending = total + hundreds.value * scale, hundreds.ending
            if scale == 1:
                return _Number(total, ending)
            self._at += 1
            below = scale
        return _Number(total, ending) if total else None

    def _hundreds(self, *, is_first: bool) -> _Number | None:
        """A number below a thousand, or up to ninety-nine hundreds."""
        began = self._at
        if is_first and self._peek() == "a" and self._peek(1) in {"hundred", *_SCALES}:
            self._at += 1
            number: _Number | None = _Number(1)
        elif self._peek() in {"hundred", "hundredth"} or (is_first and self._peek() in _SCALES):
            number = _Number(1)
        else:
            number = self._below_hundred()
        if number is None:
            self._at = began
            return None
        if self._peek() == "hundredth" and not number.ending:
            self._at += 1
            return _Number(number.value * 100, "th")
        if self._peek() != "hundred" or number.ending:
            return number
        self._at += 1
        return self._with_rest(number.value * 100)

    def _with_rest(self, hundreds: int) -> _Number:
        """With what follows "hundred", unless that begins another number: "one hundred and two hundred"."""
        began = self._at
        if self._peek() == "and":
            self._at += 1
        rest = self._below_hundred()
        if rest is None or rest.value == 0 or rest.value >= 100 or self._peek() == "hundred":
            self._at = began
            return _Number(hundreds)
        return _Number(hundreds + rest.value, rest.ending)

    def _below_hundred(self) -> _Number | None:
        first = self._simple(self._peek())
        if first is None:
            return None
        is_word = not self.next().isdigit()
        second = _NUMBERS.get(self._peek())
        if is_word and first.takes_a_unit and second is not None and 1 <= second.value <= 9:
            self._at += 1
            return _Number(first.value + second.value, second.ending)
        return first

    def _simple(self, word: str) -> _Number | None:
        return _Number(int(word)) if word.isdecimal() else _NUMBERS.get(word)

    def _peek(self, ahead: int = 0) -> str:
        return self._words[self._at + ahead] if self._at + ahead < len(self._words) else ""
