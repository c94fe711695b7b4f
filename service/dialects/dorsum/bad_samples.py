"""What can be wrong with a chunk's samples, and where the first thing is that is no number, found without parsing."""

import re
from typing import Any

import orjson

from service.application.bounded_json import JsonTooDeep, JsonTooLarge, bounded_loads

CHUNK_ARRAY = re.compile(rb'"chunk"[ \t\r\n]*:[ \t\r\n]*\[')

_OF_NUMBERS = b"0123456789+-.eE, \t\r\n"
_NOT_OF_NUMBERS = re.compile(b"[^%b]" % re.escape(_OF_NUMBERS))
_PIECE_BYTES = 1 << 18

_NO_NUMBERS: tuple[tuple[bytes, str], ...] = (
    (b'"', "a string"),
    (b"true", "a boolean"),
    (b"false", "a boolean"),
    (b"null", "null"),
    (b"[", "an array"),
    (b"{", "an object"),
)
_NOT_FINITE: tuple[tuple[bytes, str], ...] = ((b"NaN", "nan"), (b"Infinity", "inf"), (b"-Infinity", "-inf"))
"""JSON has none of these, but some clients write them."""


class NotJson(Exception):
    """The body is not a JSON object."""


class BadSample(Exception):
    """Something among the samples is not a sample. `index` counts from 0, as in the client's own array."""

    def __init__(self, index: int, shown: str, why: str) -> None:
        super().__init__(f"chunk[{index}] is {shown}, {why}.")
        self.index = index


class NoSamples(Exception):
    """There is no array of samples."""


class TooManySamples(Exception):
    """`fields`: the other fields."""

    def __init__(self, count: int, fields: dict[str, Any]) -> None:
        super().__init__(f"chunk: There are {count} samples, which is too many.")
        self.count = count
        self.fields = fields


def check_numbers(body: bytes) -> None:
    """Look for what is no number in the array of samples, a piece of the text at a time, so that others get their turn.

    Says nothing of a body in which the array is not easily found, nor of what is not JSON. Raises: BadSample.
    """
    found = CHUNK_ARRAY.search(body)
    if found is None or not _is_the_objects_own(body[: found.end() - 1]):
        return
    start, commas = found.end(), 0
    for begins in range(start, len(body), _PIECE_BYTES):
        odd = _NOT_OF_NUMBERS.search(body, begins, begins + _PIECE_BYTES)
        commas += body.count(b",", begins, odd.start() if odd else begins + _PIECE_BYTES)
        if odd is not None:
            _check_number(body, max(start, body.rfind(b",", start, odd.start()) + 1), commas)
            return


def _is_the_objects_own(beginning: bytes) -> bool:
    """Whether what follows belongs to the object that is the whole body."""
    try:
        begun = bounded_loads(beginning + b"null}")
    except (orjson.JSONDecodeError, JsonTooLarge, JsonTooDeep):
        return False
    return isinstance(begun, dict) and "chunk" in begun


def _check_number(body: bytes, at: int, index: int) -> None:
    text = body[at : at + 40].lstrip(b" \t\r\n")
    for beginning, shown in _NO_NUMBERS:
        if text.startswith(beginning):
            raise BadSample(index, shown, "not a number")
    for beginning, shown in _NOT_FINITE:
        if text.startswith(beginning):
            raise BadSample(index, shown, "not a finite number")
