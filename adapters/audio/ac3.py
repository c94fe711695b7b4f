"""Dolby Digital (AC-3 and E-AC-3, ETSI TS 102 366) as bare frames: tells them from chance bytes."""

# ruff: noqa: PLR2004 - the numbers here are the format's own, as its specification writes them

from typing import Literal

_SYNC = b"\x0b\x77"
_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_RATES = (48_000, 44_100, 32_000)
_FRAMES_THAT_CONVINCE = 3


def container_name(head: bytes, size_bytes: int) -> Literal["ac3", "eac3"] | None:
    """FFmpeg's name for frames of which several follow one another from the first byte on; None when there are none.

    `size_bytes`: of the whole file, of which `head` is the beginning.
    """
    position, name = 0, None
    for count in range(_FRAMES_THAT_CONVINCE):
        found = _frame(head[position : position + 8])
        if found is None or (name is not None and found[1] != name):
            return None
        size, name = found
        position += size
        if position == size_bytes or (position + 8 > len(head) and count):
            break
    return name


def _frame(header: bytes) -> tuple[int, Literal["ac3", "eac3"]] | None:
    """A frame's size in bytes and its kind."""
    if len(header) < 8 or header[:2] != _SYNC:
        return None
    version = header[5] >> 3
    if version > 16:
        return None
    if version > 10:
        size = 2 * (((header[2] & 7) << 8 | header[3]) + 1)
        return (size, "eac3") if header[2] >> 6 != 3 and size >= 8 else None
    rate_code, size_code = header[4] >> 6, header[4] & 0x3F
    if rate_code == 3 or size_code >= 2 * len(_KBPS):
        return None
    size = _KBPS[size_code >> 1] * 1000 * 1536 // 8 // _RATES[rate_code]
    size -= size % 2
    # At 44.1 kHz a frame is no whole number of words: every other one is a word longer.
    return size + (2 * (size_code & 1) if rate_code == 1 else 0), "ac3"
