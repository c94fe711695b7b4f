"""Bounds how much memory FFmpeg asks for at once, which a few damaged bytes of a small file can make a gigabyte."""

import ctypes
import ctypes.util
from functools import cache
from pathlib import Path

import av

_LARGEST_BYTES = 256 << 20
"""The index of an MP4 of sixty hours takes as much."""


@cache
def limit_allocations() -> None:
    """FFmpeg's own limit (`-max_alloc` on its command line), for this process. PyAV has no call for it.

    Where PyAV's copy of FFmpeg is not found beside it, there is no limit.
    """
    package = Path(av.__file__).parent
    found = [*package.parent.glob("av.libs/libavutil*"), *package.glob(".dylibs/libavutil*")]
    name = str(found[0]) if found else ctypes.util.find_library("avutil")
    if name is None:
        return
    try:
        limit = ctypes.CDLL(name).av_max_alloc
    except (OSError, AttributeError):
        return
    limit.argtypes, limit.restype = [ctypes.c_size_t], None
    limit(_LARGEST_BYTES)
