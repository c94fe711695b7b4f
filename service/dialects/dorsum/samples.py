"""A chunk's samples: from a JSON array of numbers to 16-bit PCM, by whole arrays and never number by number.

The array is cut out of the body before the rest is parsed as JSON. What is no number in it is found in its text, and
there may be no more numbers than a chunk may have: nothing in a body makes parsing hold the interpreter for long, and
with it everyone else. Integers as every client writes them are read
straight from their digits; other numbers by the JSON parser, one piece of the array at a time. A body with anything
unusual (another `chunk` inside, say) or wrong goes through the JSON parser as a whole: only then is the fault
identified and located.

Whether they are integers or floats, their values say. Only those of -1, 0 and 1 do not: these are stored as they are,
with a word on how they were written, and `domain/sample_scales.py` decides when the whole session is known.
"""

import json
import secrets
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from domain.events import SampleScale
from service.application.bounded_json import MOST_VALUES, JsonTooLarge, check_values
from service.dialects.dorsum.bad_samples import (
    CHUNK_ARRAY,
    BadSample,
    NoSamples,
    NotJson,
    TooManySamples,
    check_numbers,
)

CHUNK_SAMPLES = 480_000
"""(S) Half a minute at 16 kHz."""

LOWEST, HIGHEST = -32768, 32767
FULL_SCALE = 32768
"""What a float of 1.0 stands for; browsers divide by it when they decode 16-bit sound."""

_IN_PLACE = secrets.token_hex(16)
"""Replaces the array in the body. Random, so that nobody can send it."""

_COMMA, _MINUS, _SPACE, _ZERO, _NINE = (np.uint8(code) for code in (0x2C, 0x2D, 0x20, 0x30, 9))
_NOT_OF_NUMBERS = (b'"', b"t", b"f")
"""Of strings, true and false. Null becomes NaN, and a bracket is not JSON in an array that has none to close it."""

_OF_FLOATS = (b".", b"e", b"E")

_LONGEST_INTEGER = 5
_PIECE_BYTES = 1 << 15

Pcm = npt.NDArray[np.int16]
Integers = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.float64] | Integers
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Told:
    """Samples as little-endian PCM, and what their numbers were."""

    pcm: Pcm
    scale: SampleScale


@dataclass(frozen=True, slots=True)
class ParsedBody:
    """The other fields, the samples as little-endian PCM, and what their numbers were."""

    fields: dict[str, Any]
    samples: Pcm
    scale: SampleScale


def parse_body(body: bytes) -> ParsedBody:
    """The request in a body.

    Raises: NotJson; NoSamples; BadSample, which names the first bad one; TooManySamples; JsonTooLarge.
    """
    return _parsed_by_parts(body) or _parsed_whole(body)


def _parsed_by_parts(body: bytes) -> ParsedBody | None:
    """None if anything in the body is unusual or wrong. Raises: TooManySamples."""
    found = CHUNK_ARRAY.search(body)
    if found is None:
        return None
    start, end = found.end(), body.find(b"]", found.end())
    fields = None if end < 0 else _fields_around(body, start, end)
    if fields is None:
        return None
    count = _commas(body, start, end) + 1
    if count > CHUNK_SAMPLES:
        raise TooManySamples(count, fields)
    try:
        numbers = [_numbers(body, *span) for span in _pieces(body, start, end)]
    except (orjson.JSONDecodeError, ValueError, struct.error):
        return None
    told = _told_or_none(numbers, has_floats=lambda: _has_floats(body, start, end))
    return None if told is None else ParsedBody(fields, told.pcm, told.scale)


def _commas(body: bytes, start: int, end: int) -> int:
    return int(np.count_nonzero(np.frombuffer(body, np.uint8, count=end - start, offset=start) == _COMMA))


def _fields_around(body: bytes, start: int, end: int) -> dict[str, Any] | None:
    """None unless the array is the object's own `chunk` and the rest is quickly parsed."""
    try:
        around = b'%b"%b"%b' % (body[: start - 1], _IN_PLACE.encode(), body[end + 1 :])
        check_values(around)
        fields = orjson.loads(around)
    except (orjson.JSONDecodeError, JsonTooLarge):
        return None
    if not isinstance(fields, dict) or fields.get("chunk") != _IN_PLACE:
        return None
    del fields["chunk"]
    return fields


def _has_floats(body: bytes, start: int, end: int) -> bool:
    """Whether any number of the array's text is written as a float."""
    return any(body.find(letter, start, end) >= 0 for letter in _OF_FLOATS)


def _pieces(body: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The array's text in pieces that stay in the processor's cache, cut at commas: twice as fast as in one."""
    if end - start < _PIECE_BYTES and not body[start:end].strip():
        return
    while True:
        cut = body.find(b",", start + _PIECE_BYTES, end)
        yield start, end if cut < 0 else cut
        if cut < 0:
            return
        start = cut + 1


def _numbers(body: bytes, start: int, end: int) -> Numbers:
    """Raises: what the JSON parser and `struct` raise for anything but a list of numbers."""
    if any(body.find(letter, start, end) >= 0 for letter in _NOT_OF_NUMBERS):
        raise ValueError("something is not a number")
    integers = None
    if body.find(b".", start, end) < 0:
        integers = _integers(np.frombuffer(body, np.uint8, count=end - start, offset=start))
    if integers is not None:
        return integers
    numbers = orjson.loads(b"[%b]" % body[start:end])
    if not numbers:  # a comma with nothing after it
        raise ValueError("a number is missing")
    # Packed, then viewed as an array: two thirds of the time that NumPy needs to check each number's type.
    return np.frombuffer(struct.pack(f"{len(numbers)}d", *numbers))


def _integers(text: Bytes) -> Integers | None:
    """Integers from their digits, separated by commas and perhaps a space; None if it is anything else.

    Every number is read from its last digit to its first, all numbers at once.
    """
    ends = np.flatnonzero(np.append(text, _COMMA) == _COMMA)
    starts = np.empty_like(ends)
    starts[0] = 0
    np.add(ends[:-1], 1, out=starts[1:])
    if starts[-1] == len(text):
        return None
    starts += text[starts] == _SPACE
    is_negative = text.take(starts, mode="clip") == _MINUS
    lengths = np.clip(ends - starts - is_negative, 0, _LONGEST_INTEGER + 1).astype(np.int8)
    longest = int(lengths.max())
    if lengths.min() < 1 or longest > _LONGEST_INTEGER:
        return None
    values = np.zeros(len(ends), np.int32)
    at = ends
    for place in range(longest):
        at -= 1
        digits = text.take(at, mode="clip")
        digits -= _ZERO
        if place:
            digits *= lengths > place
        if digits.max() > _NINE:
            return None
        values += np.multiply(digits, 10**place, dtype=np.int32)
    if (values < _LEAST_OF_LENGTH[lengths]).any():  # a leading zero, which is not JSON
        return None
    return np.negative(values, out=values, where=is_negative)


_LEAST_OF_LENGTH = np.array([0, 0, 10, 100, 1_000, 10_000], np.int32)


def _told_or_none(pieces: Sequence[Numbers], *, has_floats: Callable[[], bool]) -> _Told | None:
    """Floats if all are within -1 and 1 and some have fractions, integers if none has (D); None if they are neither.

    `has_floats`: whether any of them is written as a float; only asked of those that their values do not tell.
    """
    if not pieces:
        return _Told(np.empty(0, "<i2"), SampleScale.UNITS)
    lowest, highest = min(piece.min() for piece in pieces), max(piece.max() for piece in pieces)
    are_within_one = lowest >= -1 and highest <= 1
    if all(_are_whole(piece) for piece in pieces):
        if lowest < LOWEST or highest > HIGHEST:
            return None
        return _Told(np.concatenate([piece.astype("<i2") for piece in pieces]), _scale(are_within_one, has_floats))
    if are_within_one:
        return _Told(np.concatenate([_scaled(piece) for piece in pieces]), SampleScale.FLOATS)
    return None


def _scale(are_within_one: bool, has_floats: Callable[[], bool]) -> SampleScale:
    """Of whole numbers."""
    if not are_within_one:
        return SampleScale.INTEGERS
    return SampleScale.FLOAT_UNITS if has_floats() else SampleScale.UNITS


def _scaled(floats: Numbers) -> Pcm:
    scaled = np.multiply(floats, FULL_SCALE, dtype=np.float64)
    np.rint(scaled, out=scaled)
    if scaled.max() > HIGHEST:
        np.minimum(scaled, HIGHEST, out=scaled)
    return scaled.astype("<i2")


def _are_whole(numbers: Numbers) -> bool:
    return numbers.dtype == np.int32 or bool((numbers == np.rint(numbers)).all())


def _parsed_whole(body: bytes) -> ParsedBody:
    try:
        check_values(body, most_values=MOST_VALUES + CHUNK_SAMPLES, most_texts=MOST_VALUES)
    except JsonTooLarge:
        check_numbers(body)  # which says more of what is wrong
        raise
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        fields = _with_numbers_that_are_none(body)
        if fields is None:
            raise NotJson(f"The body is not JSON: {error}.") from None
    if not isinstance(fields, dict):
        raise NotJson("The body must be a JSON object.")
    chunk = fields.pop("chunk", None)
    if not isinstance(chunk, list):
        raise NoSamples("chunk: This must be an array of numbers.")
    told = _checked(chunk)
    return ParsedBody(fields, told.pcm, told.scale)


def _with_numbers_that_are_none(body: bytes) -> Any:
    """The body with NaN and Infinity, which some clients write though JSON has neither. None if it cannot be read."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _checked(chunk: Sequence[Any]) -> _Told:
    """Raises: BadSample."""
    kinds = list(map(type, chunk))
    others = set(kinds) - {int, float}
    if others:
        index = min(kinds.index(kind) for kind in others)
        raise BadSample(index, _SHOWN.get(kinds[index], "something"), "not a number")
    try:
        numbers = np.array(chunk, dtype=np.float64)
    except OverflowError:  # an integer larger than any float
        numbers = np.array([float(str(number)) for number in chunk])
    is_finite = np.isfinite(numbers)
    if not is_finite.all():
        index = int(is_finite.argmin())
        raise BadSample(index, str(numbers[index]), "not a finite number")
    told = _told_or_none([numbers] if chunk else [], has_floats=lambda: float in kinds)
    if told is None:
        raise _neither(chunk, numbers)
    return told


_SHOWN = {str: "a string", bool: "a boolean", type(None): "null", list: "an array", dict: "an object"}


def _neither(chunk: Sequence[Any], numbers: Numbers) -> BadSample:
    """The first of numbers that are neither all floats within -1 and 1 nor all 16-bit integers."""
    is_whole = numbers == np.rint(numbers)
    index = int((~is_whole | (numbers < LOWEST) | (numbers > HIGHEST)).argmax())
    shown = str(chunk[index])[:40]
    if not -1 <= numbers[index] <= 1:
        why = "not a 16-bit integer" if is_whole[index] else "neither a 16-bit integer nor a float from -1 to 1"
        return BadSample(index, shown, why)
    other = int((np.abs(numbers) > 1).argmax())
    return BadSample(
        index, shown, f"not a 16-bit integer, though chunk[{other}], {chunk[other]}, is not a float from -1 to 1"
    )
