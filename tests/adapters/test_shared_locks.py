import asyncio
import subprocess
import sys

import pytest

from adapters.shared_locks import SharedLocks

HOLDER = """
import asyncio, sys
from pathlib import Path
from adapters.shared_locks import SharedLocks

async def hold():
    async with SharedLocks(Path(sys.argv[1])).of(sys.argv[2]):
        print("held", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(hold())
"""


@pytest.fixture
def locks(tmp_path):
    locks = SharedLocks(tmp_path / "locks")
    yield locks
    locks.close()


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of "one"."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "locks"), "one"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


async def entered(locks, key, order):
    async with locks.of(key):
        order.append(key)


@pytest.mark.parametrize("end", ["gives it back", "is killed"])
async def test_what_another_process_holds_is_waited_for_also_if_that_is_killed(locks, holder, end):
    order = []
    waiting = asyncio.create_task(entered(locks, "one", order))
    await entered(locks, "other", order)
    assert order == ["other"]
    if end == "is killed":
        holder.kill()
    else:
        holder.stdin.close()
    await waiting
    assert order == ["other", "one"]


async def test_who_gives_up_waiting_for_another_process_hinders_nobody(locks, holder):
    waiting = asyncio.create_task(entered(locks, "one", []))
    await entered(locks, "other", order := [])
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    holder.kill()
    await entered(locks, "one", order)
    assert order == ["other", "one"]


async def test_within_a_process_one_at_a_time_enters_in_the_order_of_asking(locks):
    inside, order = 0, []

    async def enter(number):
        nonlocal inside
        async with locks.of("one"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1
            order.append(number)

    await asyncio.gather(*(enter(number) for number in range(20)))
    assert order == list(range(20))
