"""Keeps the process small: glibc, left to itself, keeps what was freed for whatever may come.

Two of its habits matter here. After one large block it serves all blocks up to that size from its heaps, where a small
block behind them keeps them from ever being given back. And it gives back only what is at a heap's end. So large blocks
are always mapped, and whenever much has been freed it is told to give back what is free, also while as much is held as
before: under steady load the pieces between what is held would grow without an end. Where there is no glibc, nothing is
done.
"""

import asyncio
import ctypes
from collections.abc import Callable

from service.dialects.http.held_bytes import HeldBytes

MAPPED_BYTES = 1024 * 1024
"""Blocks from this size on are mapped one by one, and unmapped when they are freed."""

FREED_BYTES = 8 * 1024 * 1024
"""Of bodies and answers, since the last time; what was made of them is freed with them."""
SETTLE_SECONDS = 1.0
"""Before giving back, so that whatever held it has ended; and so no more often than this."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_TRIM_BYTES = 16 * 1024 * 1024


def settle_allocator() -> None:
    """For the whole process, from now on."""
    libc = ctypes.CDLL(None)
    set_option = getattr(libc, "mallopt", None)
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, MAPPED_BYTES)
        set_option(_M_TRIM_THRESHOLD, _TRIM_BYTES)


async def give_back_what_is_free(held: HeldBytes) -> None:
    """Runs until it is cancelled."""
    trim = _trim()
    while True:
        await held.until_given_back(FREED_BYTES)
        await asyncio.sleep(SETTLE_SECONDS)
        await asyncio.to_thread(trim)  # it takes milliseconds, without the interpreter


def _trim() -> Callable[[], None]:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return (lambda: None) if trim is None else (lambda: trim(0))
