"""The numbers in words that are spoken or written: 98.6 is "98.6" and, in English, "ninety-eight point six".

Words are those of `compared_words`. In languages other than English, only digits are known.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal


def _counted(words: str, *, first: int, step: int = 1) -> dict[str, int]:
    return {word: first + step * index for index, word in enumerate(words.split())}


_SMALL = _counted(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen",
    first=0,
) | {"dozen": 12}
_ROUND = _counted("twenty thirty forty fifty sixty seventy eighty ninety", first=20, step=10)
_ORDINALS = _counted(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth",
    first=1,
) | {"thirtieth": 30}
_TIMES = _counted("once twice thrice", first=1)
_HUNDRED = 100
_MULTIPLIERS = {"hundred": _HUNDRED, "thousand": 1_000, "million": 1_000_000}
_UNITS = range(1, 10)
_HALF = Decimal("0.5")
_LONGEST = 22
"""Characters of a number in digits. A longer one has no value, so that no other is the same; sums of shorter ones are
exact, since `Decimal` counts with 28 digits."""

_ONE_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_GROUPED = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*")

_NOT_A_COUNT = ("no", "any", "some", "every", "each", "this", "that", "the", "which", "another")
"""Before "one", as in "no one"."""

_COUNTS_TIMES = ("a", "daily", "per", "every", "each", "weekly", "monthly", "in", "only", "more")
"""After "once", which also means "as soon as"."""


@dataclass(frozen=True, slots=True)
class Number:
    """`values`: what it may mean, since "1,500" may be one and a half. `followed_by`: the next word."""

    values: frozenset[Decimal]
    followed_by: str | None


def are_all_said(stated: Sequence[str], said: Sequence[str], *, is_english: bool) -> bool:
    """Whether each number that is stated is among those that were said. "One tablet" may have been "a tablet"."""
    values = {value for number in _numbers(said, is_english) for value in number.values}
    single = {said[index] for index in range(1, len(said)) if said[index - 1] in ("a", "an")} if is_english else set()
    return all(
        not number.values.isdisjoint(values) or (Decimal(1) in number.values and number.followed_by in single)
        for number in _numbers(stated, is_english)
    )


def _numbers(words: Sequence[str], is_english: bool) -> Iterator[Number]:
    index = 0
    while index < len(words):
        values, index = _read(words, index) if is_english else (_in_digits(words[index]), index + 1)
        for each in values:
            yield Number(each, words[index] if index < len(words) else None)


def _in_digits(word: str) -> list[frozenset[Decimal]]:
    """Several of a date such as 3.12.2026."""
    if not word[0].isdecimal():
        return []
    parts = re.split(r"[.,]", word)
    meant = _value("".join(parts)) if _GROUPED.fullmatch(word) else frozenset()
    if _ONE_NUMBER.fullmatch(word):
        return [meant | _value(".".join(parts))]
    return [meant] if meant else [_value(part) for part in parts]


def _value(digits: str) -> frozenset[Decimal]:
    return frozenset({Decimal(digits)} if len(digits) <= _LONGEST else ())


def _read(words: Sequence[str], index: int) -> tuple[list[frozenset[Decimal]], int]:
    """The number that begins at `index` and the place after it, or none and the next place."""
    word = words[index]
    if word[0].isdecimal():
        values, after = _in_digits(word), index + 1
        if len(values) == 1 and after < len(words) and words[after] in _MULTIPLIERS:
            values, after = [frozenset(value * _MULTIPLIERS[words[after]] for value in values[0])], after + 1
        return _with_half(values, words, after)
    if word in _TIMES:
        counts = word != "once" or index + 1 == len(words) or words[index + 1] in _COUNTS_TIMES
        return ([frozenset({Decimal(_TIMES[word])})] if counts else []), index + 1
    if word == "half":
        return [frozenset({_HALF})], index + 1
    groups, after = _groups(words, index)
    fraction, after = _fraction(words, after)
    if not groups and not fraction:
        return [], index + 1
    if groups == [1] and not fraction and _is_no_count(words, index, after):
        return [], after
    # "one sixty" is 160, and "twenty twenty-six" is a year.
    value = _value(f"{''.join(map(str, groups)) or '0'}.{fraction or '0'}")
    return _with_half([value], words, after)


def _is_no_count(words: Sequence[str], index: int, after: int) -> bool:
    """Of "one": as in "no one" and "one of them"."""
    return (index > 0 and words[index - 1] in _NOT_A_COUNT) or (after < len(words) and words[after] == "of")


def _groups(words: Sequence[str], index: int) -> tuple[list[int], int]:
    """The numbers from `index` on that follow each other without any other word, and the place after them.

    "One oh two" has three of them.
    """
    groups: list[int] = []
    while index < len(words):
        group, after = (0, index + 1) if groups and words[index] == "oh" else _group(words, index)
        if group is None:
            break
        groups.append(group)
        is_last = words[after - 1] in _ORDINALS
        index = after
        if is_last:
            break
    return groups, index


def _group(words: Sequence[str], index: int) -> tuple[int | None, int]:
    """One number as grammar has it: "two thousand one hundred and five"."""
    part = _below_hundred(words, index)
    if part is None and words[index] not in _MULTIPLIERS:
        return None, index
    total, (value, after) = 0, part or (1, index)
    while after < len(words) and (multiplier := _MULTIPLIERS.get(words[after])) and value < multiplier * 10:
        total, value = (total, value * 100) if multiplier == _HUNDRED else (total + value * multiplier, 0)
        after += 1
        skipped = after + 1 if words[after : after + 1] == ["and"] else after
        more = _below_hundred(words, skipped) if skipped < len(words) else None
        if more is not None:
            value, after = value + more[0], more[1]
    return total + value, after


def _below_hundred(words: Sequence[str], index: int) -> tuple[int, int] | None:
    word, after = words[index], index + 1
    if word in _ROUND:
        unit = _SMALL.get(words[after], _ORDINALS.get(words[after], 0)) if after < len(words) else 0
        return (_ROUND[word] + unit, after + 1) if unit in _UNITS else (_ROUND[word], after)
    value = _SMALL.get(word, _ORDINALS.get(word))
    return None if value is None else (value, after)


def _fraction(words: Sequence[str], index: int) -> tuple[str, int]:
    """The digits after "point", and the place after them."""
    digits, after = "", index + 1
    if index >= len(words) or words[index] != "point":
        return "", index
    while after < len(words) and words[after] in _SMALL:
        digits, after = digits + str(_SMALL[words[after]]), after + 1
    return (digits, after) if digits else ("", index)


def _with_half(
    values: list[frozenset[Decimal]], words: Sequence[str], after: int
) -> tuple[list[frozenset[Decimal]], int]:
    """ "Three and a half"."""
    rest = list(words[after : after + 3])
    skipped = 3 if rest == ["and", "a", "half"] else 2 if rest[:2] == ["and", "half"] else 0
    if not skipped or len(values) != 1:
        return values, after
    return [frozenset(value + _HALF for value in values[0])], after + skipped
