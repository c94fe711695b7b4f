"""JSON from outside, parsed only if that takes little: until the parser ends, it holds the interpreter, and everyone.

What it costs is seen in the text before: how many values there are, and how deeply they are nested.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import orjson

MOST_VALUES = 20_000
"""Numbers, texts, names and whatever else is in an object or array."""

DEEPEST = 200
"""Objects and arrays within each other. What is stored comes back within a few more, and the writer allows 254."""

_STRUCTURE = b"[]{},"
_ALL_BUT_STRUCTURE = bytes(code for code in range(256) if code not in _STRUCTURE)
_OPENING, _CLOSING = b"[{", b"]}"
_STEPS = np.zeros(256, np.int8)
_STEPS[list(_OPENING)] = 1
_STEPS[list(_CLOSING)] = -1


class JsonTooLarge(Exception):
    """It has too many values."""

    def __init__(self, most: int) -> None:
        super().__init__(f"JSON may have at most {most} values here.")


class JsonTooDeep(Exception):
    """It is nested too deeply."""

    def __init__(self) -> None:
        super().__init__(f"JSON may be nested at most {DEEPEST} deep; this is nested deeper.")


def bounded_loads(text: bytes | str, *, most_values: int = MOST_VALUES) -> Any:
    """Raises: JsonTooLarge, JsonTooDeep; orjson.JSONDecodeError."""
    check_bounds(text, most_values=most_values)
    return orjson.loads(text)


def check_bounds(text: bytes | str, *, most_values: int = MOST_VALUES) -> None:
    """Whatever the text is, it can be parsed and written again if this raises nothing, and parsing it costs little.

    Raises: JsonTooLarge, JsonTooDeep.
    """
    structure = _bounded_structure(text, most_values, most_values)
    # What is longer than that closes what nobody opened.
    if _depth(structure[: 4 * most_values + 4]) > DEEPEST:
        raise JsonTooDeep


def check_values(text: bytes, *, most_values: int = MOST_VALUES, most_texts: int | None = None) -> None:
    """Parsing it costs little if this raises nothing. `most_texts`: of the values. Raises: JsonTooLarge."""
    _bounded_structure(text, most_values, most_values if most_texts is None else most_texts)


def _bounded_structure(text: bytes | str, most_values: int, most_texts: int) -> bytes:
    """The brackets and commas. Raises: JsonTooLarge."""
    encoded = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if b"\\" in encoded:
        encoded = encoded.replace(b"\\\\", b"").replace(b'\\"', b"")
    if encoded.count(b'"') > 4 * most_texts + 4:  # a text has two of these, and each value may have a name
        raise JsonTooLarge(most_texts)
    # What stands in quotes goes. That is right as far as it is JSON, and the rest is not parsed either.
    structure = b"".join(encoded.split(b'"')[::2]).translate(None, _ALL_BUT_STRUCTURE)
    if _values(structure) > most_values:
        raise JsonTooLarge(most_values)
    return structure


def field_too_deep(body: bytes) -> str:
    """Which field of an object is nested too deeply; empty if that cannot be told."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(given, dict):
        return ""
    return next((name for name, value in given.items() if _reaches(value, DEEPEST - 1)), "")


def _reaches(value: Any, depth: int) -> bool:
    """Whether anything is nested more than so deep in it."""
    inside = [value]
    for _ in range(depth):
        inside = [each for one in inside for each in _inside(one)]
    return any(isinstance(one, dict | list) for one in inside)


def _inside(value: Any) -> Iterable[Any]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()


def _values(structure: bytes) -> int:
    """Each is the first of an object or array, or comes after a comma."""
    return structure.count(b",") + sum(structure.count(bytes((opening,))) for opening in _OPENING)


def _depth(structure: bytes) -> int:
    if not structure:
        return 0
    return int(np.cumsum(_STEPS[np.frombuffer(structure, np.uint8)], dtype=np.int64).max())
