"""The number that a view keeps with its rows, to notice that an earlier release has made them."""

from hashlib import sha256
from json import dumps
from typing import Any

from pydantic import TypeAdapter


def view_schema(version: int, stored: TypeAdapter[Any]) -> int:
    """Another number for each version, and for each change to what is stored: its fields, or their schema's words."""
    fields = sha256(dumps(stored.json_schema(), sort_keys=True).encode()).digest()
    return version << 40 | int.from_bytes(fields[:5])
