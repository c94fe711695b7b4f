"""How an object that bodies share is laid out: a first line, a table of what is in it, the bodies one after another.

The table is JSON with each body's key, size and CRC32C. So the index can be made anew from the objects' beginnings.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from struct import Struct

import google_crc32c
import orjson

FIRST_LINE = b"tapedeck/obj/1\r\n"
_TABLE_SIZE = Struct("<I")
_LEAD_BYTES = len(FIRST_LINE) + _TABLE_SIZE.size

MOST_BODIES = 128
MOST_BYTES = 8 * 1024 * 1024
"""Bodies that share an object; one that is larger has an object to itself."""

BEGINNING_BYTES = 128 * 1024
"""In this much of an object its whole table is found: a key takes at most 512 bytes, and there are 128 of them."""


@dataclass(frozen=True, slots=True)
class Body:
    """`checksum`: CRC32C of the body, as it was when the body came."""

    key: str
    pieces: Sequence[bytes]
    size_bytes: int
    checksum: int


@dataclass(frozen=True, slots=True)
class Part:
    """A body in an object, by its position there."""

    key: str
    offset: int
    size_bytes: int
    checksum: int


class DamagedObject(Exception):
    """What was read is not the beginning of an object that bodies share."""


def checksum_of(pieces: Iterable[bytes]) -> int:
    checksum = 0
    for piece in pieces:
        checksum = google_crc32c.extend(checksum, piece)
    return checksum


def laid_out(bodies: Sequence[Body]) -> tuple[bytes, list[Part]]:
    """The object, and where in it each body is."""
    table = orjson.dumps([[body.key, body.size_bytes, body.checksum] for body in bodies])
    content = b"".join(
        [FIRST_LINE, _TABLE_SIZE.pack(len(table)), table, *(piece for body in bodies for piece in body.pieces)]
    )
    return content, _parts([(body.key, body.size_bytes, body.checksum) for body in bodies], _LEAD_BYTES + len(table))


def parts_in(beginning: bytes) -> list[Part]:
    """What is in an object, by its first BEGINNING_BYTES. Raises: DamagedObject."""
    if len(beginning) < _LEAD_BYTES or not beginning.startswith(FIRST_LINE):
        raise DamagedObject
    (table_bytes,) = _TABLE_SIZE.unpack_from(beginning, len(FIRST_LINE))
    end = _LEAD_BYTES + table_bytes
    try:
        rows = [
            (str(key), int(size), int(checksum)) for key, size, checksum in orjson.loads(beginning[_LEAD_BYTES:end])
        ]
    except (ValueError, TypeError) as error:
        raise DamagedObject from error
    return _parts(rows, end)


def _parts(rows: Iterable[tuple[str, int, int]], offset: int) -> list[Part]:
    parts = []
    for key, size_bytes, checksum in rows:
        parts.append(Part(key, offset, size_bytes, checksum))
        offset += size_bytes
    return parts
