"""Gzip for streams of which many are told the same: each piece is deflated once, for all of them (RFC 1951, RFC 1952).

A piece is deflated by itself and ends where a byte does, so it may follow any other. The check at the end of a stream
is combined from those of its pieces, in steps that do not depend on how long they are.
"""

import re
import zlib
from functools import lru_cache

_STORED_BYTES = 1_200
"""What is no larger is stored as it is: it takes one packet of the network either way."""

_LEVEL = 1
_NO_FRAME = -15
"""Tells `zlib` that no frame is wanted around the compressed bytes."""

_NO_WEIGHT = re.compile(r"q=0(\.0*)?")

_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
_ALL_SO_FAR = b"\x00\x00\x00\xff\xff"
"""An empty stored block, which ends what `zlib` flushes, too: Go's decoder gives out nothing before it."""

_LAST_BLOCK = b"\x03\x00"

_POLYNOMIAL = 0xEDB88320
"""Of the check (RFC 1952, 8): the highest power is in the lowest bit, as in all numbers here."""
_ONE = 1 << 31
_ONE_BYTE = 1 << 23


class Deflated:
    """Bytes, deflated. `shift`: what the check of all before them is multiplied by."""

    __slots__ = ("check", "data", "length", "shift")

    def __init__(self, data: bytes) -> None:
        self.length = len(data)
        self.check = zlib.crc32(data)
        self.shift = _power(self.length)
        self.data = _stored(data) if len(data) <= _STORED_BYTES else _deflated(data)


class GzipStream:
    """One stream: the frame around its pieces."""

    def __init__(self) -> None:
        self._length = self._check = 0
        self._has_begun = False

    def add(self, piece: Deflated) -> bytes:
        """What is to be sent for it."""
        self._check = _product(piece.shift, self._check) ^ piece.check
        self._length += piece.length
        if self._has_begun:
            return piece.data
        self._has_begun = True
        return _HEADER + piece.data

    def end(self) -> bytes:
        """What is to be sent after the last piece, of which there was at least one."""
        return _LAST_BLOCK + self._check.to_bytes(4, "little") + (self._length % 2**32).to_bytes(4, "little")


def is_accepted(accept_encoding: str) -> bool:
    """Whether gzip is among the codings in the header of this value, and not refused (RFC 9110, 12.5.3)."""
    for each in accept_encoding.lower().split(","):
        coding, *parameters = (part.strip() for part in each.split(";"))
        if coding in {"gzip", "x-gzip"}:
            return not any(map(_NO_WEIGHT.fullmatch, parameters))
    return False


def _stored(data: bytes) -> bytes:
    length = len(data).to_bytes(2, "little")
    return b"\x00" + length + bytes(byte ^ 0xFF for byte in length) + data + _ALL_SO_FAR


def _deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _NO_FRAME)
    return compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)


@lru_cache(maxsize=1024)
def _power(length: int) -> int:
    """x to the power of so many bytes' bits, modulo the polynomial."""
    power, factor = _ONE, _ONE_BYTE
    while length:
        if length & 1:
            power = _product(power, factor)
        factor = _product(factor, factor)
        length >>= 1
    return power


def _product(one: int, other: int) -> int:
    """Of two polynomials of bits, modulo the polynomial."""
    product = 0
    while one:
        if one & _ONE:
            product ^= other
        one = one << 1 & 0xFFFFFFFF
        other = other >> 1 ^ _POLYNOMIAL if other & 1 else other >> 1
    return product
