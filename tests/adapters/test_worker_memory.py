"""Jobs with a limit on their memory: one that takes more fails by name, and no other job notices."""

import asyncio
import os
import resource
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.worker_memory import MEBIBYTE, in_use_bytes, limit_own_memory, own_peak_bytes
from adapters.worker_processes import WorkerOutOfMemory, WorkerProcesses
from tests.adapters.test_worker_processes import content_of, tell_pid_and_wait, until
from tests.tools.peak_memory import peak_bytes

LIMIT = 96 * MEBIBYTE


@pytest.fixture
async def workers() -> AsyncIterator[WorkerProcesses]:
    made = WorkerProcesses(1, job_memory_bytes=LIMIT)
    yield made
    await made.close()


async def test_a_job_that_holds_too_much_is_ended_and_no_other_job_notices(tmp_path: Path) -> None:
    workers = WorkerProcesses(2, job_memory_bytes=LIMIT)
    other = asyncio.create_task(workers.run(tell_pid_and_wait, tmp_path / "other", tmp_path / "release"))
    other_pid = int(await content_of(tmp_path / "other"))
    hog = asyncio.create_task(workers.run(take_more_and_more, tmp_path / "hog"))
    peak = Peak(int(await content_of(tmp_path / "hog")))
    with pytest.raises(
        WorkerOutOfMemory, match="Processing needed more memory than the 96 MiB that one job may"
    ) as ended:
        await hog
    assert (ended.value.reason, ended.value.is_retryable) == ("too_much_memory", False)
    assert peak.most_bytes() < 2 * LIMIT + 32 * MEBIBYTE
    (tmp_path / "release").touch()
    assert await other == "done"
    assert await workers.run(pow, 2, 5) == 32
    assert other_pid in workers.pids
    await workers.close()


async def test_what_a_job_took_and_freed_between_two_looks_counts_too(workers: WorkerProcesses) -> None:
    with pytest.raises(WorkerOutOfMemory):
        await workers.run(take_and_free, LIMIT + LIMIT // 4)


async def test_memory_that_the_system_refuses_is_told_in_the_same_way(workers: WorkerProcesses) -> None:
    with pytest.raises(WorkerOutOfMemory):
        await workers.run(reserve, 4096 * MEBIBYTE)
    assert await workers.run(pow, 2, 4) == 16


async def test_what_was_loaded_before_the_first_job_does_not_count() -> None:
    workers = WorkerProcesses(1, initializer=keep, initargs=(2 * LIMIT,), job_memory_bytes=LIMIT)
    assert await workers.run(take_and_free, LIMIT // 2) == LIMIT // 2
    with pytest.raises(WorkerOutOfMemory):
        await workers.run(take_and_free, LIMIT + LIMIT // 4)
    await workers.close()


@pytest.mark.parametrize(
    ("peak", "resident", "swapped", "known"),
    [(900, 200, 0, 900), (900, 100, 500, 900), (900, 800, 500, 1300)],
    ids=["nothing", "a model that was resident at the peak", "more than ever was resident"],
)
def test_what_is_swapped_out_does_not_count_twice(
    tmp_path: Path, peak: int, resident: int, swapped: int, known: int
) -> None:
    status = tmp_path / "status"
    status.write_text(f"VmHWM:\t{peak} kB\nVmRSS:\t{resident} kB\nVmSwap:\t{swapped} kB\n")
    assert own_peak_bytes(status) == known * 1024


@pytest.mark.slow
async def test_a_process_that_keeps_much_is_replaced_so_that_the_next_job_has_room(workers: WorkerProcesses) -> None:
    pids = [await workers.run(keep, LIMIT * 2 // 3) for _ in range(3)]
    assert len(set(pids)) == 3
    assert len({await workers.run(take_and_give_pid, LIMIT * 2 // 3) for _ in range(3)}) == 1


async def test_a_failed_job_keeps_no_memory(workers: WorkerProcesses) -> None:
    pids = []
    for _ in range(2):
        with pytest.raises(ValueError, match="no use") as failed:
            await workers.run(take_and_fail, LIMIT * 2 // 3)
        pids.append(failed.value.args[1])
    assert len(set(pids)) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems limit nothing")
@pytest.mark.parametrize("outside", [resource.RLIM_INFINITY, 8192 * MEBIBYTE], ids=["unlimited", "limited"])
@pytest.mark.parametrize("more", [4096 * MEBIBYTE, sys.maxsize, 10**23])
async def test_a_limit_of_any_size_is_kept_within_what_the_process_may_have(outside: int, more: int) -> None:
    workers = WorkerProcesses(1)
    soft, hard = await workers.run(limits_with, outside, more)
    most = sys.maxsize if outside == resource.RLIM_INFINITY else outside
    assert hard == outside
    assert soft == most if more >= most else more <= soft < most
    await workers.close()


def test_nothing_is_known_of_a_process_that_has_ended() -> None:
    assert in_use_bytes(2**31 - 1) is None


_KEPT: list[bytes] = []


def taken(size_bytes: int) -> bytes:
    return b"x" * size_bytes


def take_and_free(size_bytes: int) -> int:
    return len(taken(size_bytes))


def take_and_give_pid(size_bytes: int) -> int:
    taken(size_bytes)
    return os.getpid()


def take_and_fail(size_bytes: int) -> None:
    held = taken(size_bytes)
    raise ValueError("no use", os.getpid(), len(held) == size_bytes)


def reserve(size_bytes: int) -> int:
    return len(bytearray(size_bytes))


def limits_with(outside: int, more_bytes: int) -> tuple[int, int]:
    resource.setrlimit(resource.RLIMIT_DATA, (outside, outside))
    limit_own_memory(more_bytes)
    return resource.getrlimit(resource.RLIMIT_DATA)


def keep(size_bytes: int) -> int:
    _KEPT.append(taken(size_bytes))
    return os.getpid()


def take_more_and_more(pid_file: Path) -> None:
    pid_file.with_suffix(".part").write_text(str(os.getpid()))
    pid_file.with_suffix(".part").rename(pid_file)
    held = [taken(LIMIT // 16) for _ in range(8)]
    while True:  # until the process is ended, or memory refused
        held += [taken(LIMIT // 64)]
        wait_a_moment()


def wait_a_moment() -> None:
    threading.Event().wait(0.02)


class Peak:
    """The most memory that a process has while it lives."""

    def __init__(self, pid: int) -> None:
        self._most = 0
        self._pid = pid
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def most_bytes(self) -> int:
        """Once it has ended."""
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        until(self._has_ended)

    def _has_ended(self) -> bool:
        try:
            self._most = peak_bytes(self._pid)
        except (OSError, AssertionError):
            return True
        return False
