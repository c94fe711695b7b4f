"""Work that is done once for all who ask for it before it has begun."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.blobs.bucket.shared_work import SharedWork


class Work:
    """Each time it begins, it waits until it may end. `fails`: whether it raises then."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.times = 0
        self.fails = False

    def __call__(self):
        self.times += 1
        self.begun.release()
        self.may_end.acquire()
        if self.fails:
            raise OSError("It failed.")

    async def has_begun(self):
        await asyncio.to_thread(self.begun.acquire)


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def shared(work):
    with ThreadPoolExecutor(1) as thread:
        yield SharedWork(work, thread)


async def asked(shared, times):
    """Who asks, each of whom waits by now."""
    asking = [asyncio.create_task(shared.done()) for _ in range(times)]
    await asyncio.sleep(0)
    return asking


async def test_who_asks_while_it_is_done_shares_the_next_time_with_all_who_ask_until_then(work, shared):
    first = await asked(shared, 1)
    await work.has_begun()
    later = await asked(shared, 50)
    work.may_end.release()
    await asyncio.gather(*first)
    await work.has_begun()
    assert not any(task.done() for task in later)
    work.may_end.release()
    await asyncio.gather(*later)
    assert work.times == 2


async def test_all_who_share_it_are_told_that_it_failed_and_it_is_done_again_for_who_asks_then(work, shared):
    await asked(shared, 1)
    await work.has_begun()
    sharing = await asked(shared, 3)
    work.fails = True
    work.may_end.release()
    work.may_end.release()
    assert [type(told) for told in await asyncio.gather(*sharing, return_exceptions=True)] == [OSError] * 3
    work.fails = False
    work.may_end.release()
    await shared.done()
    assert work.times == 3


async def test_who_goes_while_it_waits_cancels_it_for_nobody_and_its_error_is_no_line_in_the_log(work, shared):
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    first = await asked(shared, 1)
    await work.has_begun()
    gone, stays = await asked(shared, 2)
    gone.cancel()
    await asyncio.wait([gone])
    work.fails = True
    work.may_end.release()
    work.may_end.release()
    assert [type(told) for told in await asyncio.gather(*first, stays, return_exceptions=True)] == [OSError] * 2
    await asyncio.sleep(0)
    gc.collect()
    assert reported == []
    assert work.times == 2
