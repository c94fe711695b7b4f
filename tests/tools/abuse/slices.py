"""Recordings in very many slices, made so that work for each of them, times all of the others, would add up.

Each function gives the chunks of one recording, in order.
"""

from collections.abc import Callable

from tests.adapters.audio.kinds import file_of

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


def _replaced(chunks: list[bytes], made: Callable[[int], bytes]) -> list[bytes]:
    return [made(len(chunk)) if index % 3 == 2 else chunk for index, chunk in enumerate(chunks)]
