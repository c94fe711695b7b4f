"""JSON that comes back as it was sent: numbers that neither 64-bit integers nor floats hold exactly keep their digits.

For what callers say of their recordings in free form. JSON sets no bounds to numbers (RFC 8259, 6), and a caller's id
of 25 digits is not to become another one.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

_MAY_BE_INEXACT = re.compile(rb"[0-9.]{16}|[eE][+-]?[0-9]{2}")
"""Found wherever a number is that a float or a 64-bit integer may not hold, and in some other texts."""

_LEAST, _MOST = -(2**63), 2**64 - 1
_LONGEST_INTEGER = 20


def exact_loads(body: bytes) -> Any:
    """What `orjson.loads` makes of it, but for numbers that it would change: these stay as they are written, and
    `orjson.dumps` writes them so again.

    Raises: orjson.JSONDecodeError, also for numbers beyond what any float can be; RecursionError for what is nested so
    deeply that it could not be written either.
    """
    value = orjson.loads(body)
    if not _MAY_BE_INEXACT.search(body):
        return value
    return json.loads(body, parse_int=_integer, parse_float=_float)


def _integer(text: str) -> int | orjson.Fragment:
    is_long = len(text) > _LONGEST_INTEGER  # Python refuses to convert very long ones
    return orjson.Fragment(text) if is_long or not _LEAST <= int(text) <= _MOST else int(text)


def _float(text: str) -> float | orjson.Fragment:
    number = float(text)
    try:
        is_exact = Decimal(repr(number)) == Decimal(text)
    except InvalidOperation:  # an exponent beyond all measure, which orjson has taken for zero
        is_exact = False
    return number if is_exact else orjson.Fragment(text)
