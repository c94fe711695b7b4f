"""Recordings in very many slices, made so that work for each of them, times all of the others, would add up.

Each function gives the chunks of one recording, in order.
"""

import struct
from collections.abc import Callable

import numpy as np

from tests.adapters.audio.kinds import file_of
from tests.adapters.audio.samples import encoded

_PICTURE = b"\x89PNG\r\n\x1a\n"
_LARGEST_FRAME_BYTES = slice(8 + 7, 8 + 10)
"""Where in a FLAC file its first block says how large its largest frame is."""


def slices(content: bytes, count: int) -> list[bytes]:
    """A file in so many slices of about the same size: harmless, but for their number."""
    return [content[index * len(content) // count : (index + 1) * len(content) // count] for index in range(count)]


def among_zeros(content: bytes, count: int) -> list[bytes]:
    """Every third slice replaced by zeros: each is looked at in its file, to tell whether it may be zeros."""
    return _replaced(slices(content, count), bytes)


def among_pictures(content: bytes, count: int) -> list[bytes]:
    """Every third slice replaced by a picture: each is left out, and told of."""
    return _replaced(slices(content, count), lambda size: (_PICTURE + bytes(size))[:size])


def without_a_beginning(content: bytes, count: int) -> list[bytes]:
    """All slices but the first: in each, the beginning of a file is looked for."""
    return slices(content, count + 1)[1:]


def frameless_flac(count: int, *, slice_bytes: int = 96) -> list[bytes]:
    """A FLAC file that says that its frames are large, and then none: each slice may be the middle of one."""
    whole = bytearray(file_of("FLAC"))
    whole[_LARGEST_FRAME_BYTES] = b"\xff\xff\xff"
    return [bytes(whole), *[b"\xff\0" * (slice_bytes // 2)] * (count - 1)]


def costly_pair(seconds: int) -> list[bytes]:
    """Two small files that are large as one without loss: a long one of little, and a short one that asks for a high
    sample rate, eight channels and many bits."""
    murmur = np.random.default_rng(1).normal(0, 3_000, (1, seconds * 8_000)).astype(np.int16)
    return [encoded("amr libopencore_amrnb", murmur, rate=8_000), _wide_wave()]


def _wide_wave() -> bytes:
    rate, channels, size = 192_000, 8, 3
    data = bytes(rate // 100 * channels * size)
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * size, channels * size, 8 * size)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + len(data))
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + (b"data" + struct.pack("<I", len(data)) + data)
    )


def _replaced(chunks: list[bytes], made: Callable[[int], bytes]) -> list[bytes]:
    return [made(len(chunk)) if index % 3 == 2 else chunk for index, chunk in enumerate(chunks)]
