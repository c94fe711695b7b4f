"""What is free is given back to the system, even while there is never a quiet moment."""

import ctypes
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library keeps or gives back memory as it likes"
)

PROCESS = """
import asyncio
from contextlib import suppress

from service.dialects.http.held_bytes import HeldBytes
from service.runtime.memory import give_back_what_is_free, settle_allocator
from tests.tools.peak_memory import MEBIBYTE, resident_bytes

BLOCK, PEAK = 4096, 64 * MEBIBYTE


async def main():
    settle_allocator()
    budget = HeldBytes(1024 * MEBIBYTE)
    budget.hold("all the time").reserve(PEAK)
    giving_back = asyncio.create_task(give_back_what_is_free(budget))
    short = budget.hold("for a moment")
    short.reserve(PEAK)
    blocks = [bytes(BLOCK) for _ in range(PEAK // BLOCK)]
    pinning = blocks[::32]
    before = resident_bytes()
    del blocks
    assert before - resident_bytes() < PEAK // 8, "nothing is pinned"
    short.shrink_to(0)
    async with asyncio.timeout(60):
        while before - resident_bytes() < PEAK * 3 // 4:
            await asyncio.sleep(0.05)
    giving_back.cancel()
    with suppress(asyncio.CancelledError):
        await giving_back
    return len(pinning)


print(asyncio.run(main()))
"""


def test_what_lies_between_pinned_blocks_is_given_back_while_as_much_is_held_all_the_time():
    ran = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, check=False, timeout=300)
    assert (ran.returncode, ran.stdout) == (0, "512\n"), ran.stderr
