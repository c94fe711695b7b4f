"""Jobs in processes of their own: what one does never costs another."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from adapters import worker_processes
from adapters.audio.errors import NotAudio
from adapters.running_time import RunningTime
from adapters.worker_processes import (
    RunningJob,
    WorkerDied,
    WorkerProcesses,
    WorkersClosed,
    WorkerTimedOut,
)


@pytest.fixture
async def workers() -> AsyncIterator[WorkerProcesses]:
    made = WorkerProcesses(2)
    yield made
    await made.close()


async def test_a_job_gives_its_result_from_another_process(workers: WorkerProcesses) -> None:
    assert workers.pids == frozenset()
    assert await workers.run(pow, 2, 10) == 1024
    assert await workers.run(os.getpid) in workers.pids


async def test_a_jobs_own_error_comes_back_whole(workers: WorkerProcesses) -> None:
    with pytest.raises(NotAudio, match="Chunk 3 is empty") as caught:
        await workers.run(refuse, 3)
    assert caught.value.chunk_number == 3
    assert "in refuse" in caught.value.__notes__[0]


async def test_what_can_not_be_pickled_fails_only_its_own_job(workers: WorkerProcesses) -> None:
    with pytest.raises(TypeError, match="cannot be sent back"):
        await workers.run(threading.Lock)
    with pytest.raises((AttributeError, TypeError)):
        await workers.run(lambda: None)
    with pytest.raises(RuntimeError, match="Unpicklable: no way back"):
        await workers.run(raise_unpicklable)
    assert await workers.run(pow, 2, 3) == 8


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_worker_that_dies_fails_its_own_job_and_no_other(number: int, tmp_path: Path) -> None:
    workers = WorkerProcesses(2)
    release = tmp_path / "release"
    other = asyncio.create_task(workers.run(wait_for_file, release))
    with pytest.raises(WorkerDied) as caught:
        await workers.run(die, number)
    assert caught.value.is_retryable
    assert await workers.run(pow, 2, 5) == 32  # in the slot whose process was replaced
    release.touch()
    assert await other == "done"
    await workers.close()


async def test_a_worker_that_died_while_idle_costs_no_job(workers: WorkerProcesses) -> None:
    process = psutil.Process(await workers.run(os.getpid))
    process.kill()
    await asyncio.to_thread(process.wait)
    assert await workers.run(pow, 2, 4) == 16


async def test_a_job_past_its_timeout_is_killed(workers: WorkerProcesses, tmp_path: Path) -> None:
    with pytest.raises(WorkerTimedOut, match=r"longer than 0\.2 s"):
        await workers.run(wait_for_file, tmp_path / "never", timeout=timedelta(seconds=0.2))
    assert await workers.run(pow, 2, 6) == 64
    assert len(workers.pids) == 1


async def test_a_cancelled_job_is_killed_and_frees_its_slot(tmp_path: Path) -> None:
    workers = WorkerProcesses(1)
    job = asyncio.create_task(workers.run(tell_pid_and_wait, tmp_path / "pid", tmp_path / "never"))
    pid = int(await content_of(tmp_path / "pid"))
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert await workers.run(os.getpid) != pid
    assert not psutil.pid_exists(pid)
    await workers.close()


async def test_a_job_that_is_cancelled_again_while_its_process_ends_leaves_no_error_behind(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    workers = WorkerProcesses(1)
    job = asyncio.create_task(workers.run(tell_pid_and_wait, tmp_path / "pid", tmp_path / "never"))
    await content_of(tmp_path / "pid")
    for _ in range(3):
        job.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await job
    await workers.close()
    gc.collect()
    assert told == []


async def test_jobs_are_done_in_the_order_they_came(tmp_path: Path) -> None:
    workers = WorkerProcesses(1)
    release = tmp_path / "release"
    finished: list[int] = []

    async def job(number: int) -> None:
        await workers.run(wait_for_file, release)
        finished.append(number)

    jobs = [asyncio.create_task(job(number)) for number in range(12)]
    release.touch()
    await asyncio.gather(*jobs)
    assert finished == list(range(12))
    await workers.close()


async def test_closing_ends_a_job_that_is_paused(tmp_path: Path) -> None:
    workers = WorkerProcesses(1)
    job, given, pid = await begun(workers, tmp_path)
    await paused(given)
    await workers.close()
    with pytest.raises(WorkerDied):
        await job
    assert not psutil.pid_exists(pid)


async def test_closing_ends_every_process_and_every_job(tmp_path: Path) -> None:
    workers = WorkerProcesses(1)
    running = asyncio.create_task(workers.run(tell_pid_and_wait, tmp_path / "pid", tmp_path / "never"))
    waiting = asyncio.create_task(workers.run(pow, 2, 2))
    pid = int(await content_of(tmp_path / "pid"))
    await workers.close()
    assert not psutil.pid_exists(pid)
    with pytest.raises(WorkerDied):
        await running
    with pytest.raises(WorkersClosed):
        await waiting
    with pytest.raises(WorkersClosed):
        await workers.run(pow, 2, 2)


async def test_workers_give_way_keep_to_one_thread_and_leave_ctrl_c_to_their_parent(tmp_path: Path) -> None:
    workers = WorkerProcesses(1, initializer=write_file, initargs=(tmp_path / "begun",))
    job = asyncio.create_task(workers.run(tell_pid_and_wait, tmp_path / "pid", tmp_path / "release"))
    process = psutil.Process(int(await content_of(tmp_path / "pid")))
    process.send_signal(signal.SIGINT)
    assert (tmp_path / "begun").exists()
    assert process.nice() > psutil.Process().nice()
    (tmp_path / "release").touch()
    assert await job == "done"
    assert await workers.run(os.getenv, "OMP_NUM_THREADS") == "1"
    await workers.close()


async def test_a_worker_that_calculates_has_no_threads_but_its_own() -> None:
    from tests.adapters import matrices  # noqa: PLC0415 - other tests' jobs, of this module, are to import no numpy

    workers = WorkerProcesses(1, initializer=matrices.multiply_matrices)
    # The one that works, and the one that waits for the parent's end.
    assert await workers.run(matrices.count_threads) == 2
    await workers.close()


async def test_a_paused_job_stands_still_and_goes_on(tmp_path: Path) -> None:
    workers = WorkerProcesses(1)
    job, given, pid = await begun(workers, tmp_path)
    await paused(given)
    process = psutil.Process(pid)
    await asyncio.to_thread(until, lambda: process.status() == psutil.STATUS_STOPPED)
    (tmp_path / "release").touch()
    given.resume()
    assert await job == "done"
    assert not given.pause()
    assert await workers.run(os.getpid) == pid
    await workers.close()


async def test_the_time_for_which_a_job_is_paused_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, looks = [0.0], []

    def clock() -> float:
        looks.append(now[0])
        return now[0]

    monkeypatch.setattr(worker_processes, "RunningTime", partial(RunningTime, clock=clock))
    workers = WorkerProcesses(1, job_memory_bytes=1 << 30)  # so that the clock is looked at often
    job, given, _ = await begun(workers, tmp_path, limit=timedelta(seconds=60))
    await paused(given)
    now[0] += 1_000
    given.resume()
    now[0] += 59
    seen = len(looks)
    await asyncio.to_thread(until, lambda: job.done() or len(looks) > seen + 3)
    (tmp_path / "release").touch()
    assert await job == "done"
    (tmp_path / "too late").mkdir()
    job, _, _ = await begun(workers, tmp_path / "too late", limit=timedelta(seconds=60))
    now[0] += 61
    with pytest.raises(WorkerTimedOut):
        await job
    await workers.close()


def test_running_time_is_counted_without_pauses() -> None:
    now = [100.0]
    running = RunningTime(clock=lambda: now[0])
    now[0] += 5
    running.stop()
    now[0] += 1_000
    assert running.seconds() == 5
    running.go_on()
    running.go_on()
    now[0] += 2
    assert running.seconds() == 7
    running.restart()
    assert running.seconds() == 0


async def test_a_job_can_only_be_paused_once_its_process_is_ready(tmp_path: Path) -> None:
    workers = WorkerProcesses(1, initializer=wait_for_file, initargs=(tmp_path / "ready",))
    given: list[RunningJob] = []
    job = asyncio.create_task(workers.run(pow, 2, 3, on_start=given.append))
    await asyncio.to_thread(until, lambda: bool(given and workers.pids))
    assert not given[0].pause()
    (tmp_path / "ready").touch()
    assert await job == 8
    await workers.close()


async def test_a_job_can_not_be_paused_before_its_process_has_it(workers: WorkerProcesses) -> None:
    await workers.run(os.getpid)
    paused: list[bool] = []
    assert await workers.run(pow, 2, 3, on_start=lambda job: paused.append(job.pause())) == 8
    assert paused == [False]


async def test_a_job_whose_process_is_gone_and_forgotten_can_be_paused_and_resumed_without_an_error(
    tmp_path: Path,
) -> None:
    workers = WorkerProcesses(1)
    job, given, pid = await begun(workers, tmp_path)
    os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):  # its own thread was first
        await asyncio.to_thread(os.waitpid, pid, 0)
    given.pause()
    given.resume()
    with pytest.raises(WorkerDied):
        await asyncio.wait_for(job, 30)
    await workers.close()


async def test_a_paused_job_that_is_cancelled_ends_with_its_process(tmp_path: Path) -> None:
    workers = WorkerProcesses(1)
    job, given, pid = await begun(workers, tmp_path)
    await paused(given)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert not psutil.pid_exists(pid)
    assert await workers.run(pow, 2, 3) == 8
    await workers.close()


PARENT = """
import asyncio, sys
from pathlib import Path
from typing import Any
from adapters.worker_processes import WorkerProcesses
from tests.adapters.test_worker_processes import tell_pid_and_wait

async def main():
    workers = WorkerProcesses(2)
    folder = Path(sys.argv[1])
    await asyncio.gather(*(workers.run(tell_pid_and_wait, folder / name, folder / "never") for name in ("a", "b")))

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.slow
async def test_workers_end_by_themselves_when_their_parent_is_killed_even_while_they_are_stopped(
    tmp_path: Path,
) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)])
    processes = [psutil.Process(int(await content_of(tmp_path / name))) for name in ("a", "b")]
    processes[0].suspend()
    parent.kill()
    parent.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, 30)
    assert alive == []


async def begun(
    workers: WorkerProcesses, folder: Path, *, limit: timedelta = timedelta(hours=1)
) -> tuple[asyncio.Task[str], RunningJob, int]:
    """A job that waits for the file `release`, and the process that does it."""
    given: list[RunningJob] = []
    job = asyncio.create_task(
        workers.run(tell_pid_and_wait, folder / "pid", folder / "release", timeout=limit, on_start=given.append)
    )
    pid = int(await content_of(folder / "pid"))
    return job, given[0], pid


async def paused(job: RunningJob) -> None:
    """Its process may have begun before its parent has heard of that."""
    async with asyncio.timeout(60):
        while not job.pause():
            await asyncio.sleep(0.01)


def refuse(number: int) -> None:
    raise NotAudio(chunk_number=number, detail="is empty")


class Unpicklable(Exception):
    def __reduce__(self) -> str:
        raise TypeError("not to be pickled")


def raise_unpicklable() -> None:
    raise Unpicklable("no way back")


def die(number: int) -> None:
    os.kill(os.getpid(), number)


def write_file(path: Path) -> None:
    path.touch()


def wait_for_file(path: Path) -> str:
    until(path.exists)
    return "done"


def tell_pid_and_wait(pid_file: Path, release: Path) -> str:
    pid_file.with_suffix(".part").write_text(str(os.getpid()))
    pid_file.with_suffix(".part").rename(pid_file)
    return wait_for_file(release)


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.01)


async def content_of(path: Path) -> str:
    await asyncio.to_thread(until, path.exists)
    return await asyncio.to_thread(path.read_text)
