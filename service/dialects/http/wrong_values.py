"""A wrong value in the message that refuses it: as in JSON, so that a client's developer recognizes it."""

from typing import Any

_MOST_SHOWN = 80
"""Characters: enough to recognize it by."""


def shown(given: Any) -> str:
    """What JSON nests is named, not shown: it may be too deep for that."""
    match given:
        case None:
            return "null"
        case bool():
            return "true" if given else "false"
        case list():
            return "a list"
        case dict():
            return "an object"
    text = repr(given)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"
