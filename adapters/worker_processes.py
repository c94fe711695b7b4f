"""Runs CPU-heavy functions in separate processes; promises that a job that crashes, hangs or hogs harms no other job.

Each slot is one process, started when first needed and replaced when it dies. Jobs wait in the order in which they
came. A process ends on its own when its parent is gone, even if that was killed.

With a memory limit, a job may take so many bytes beyond what its process had in use before its first job, such as a
loaded model. The parent looks twenty times a second and kills a process that has more in use. More that was taken and
freed between two looks is noticed when the job ends, and the system itself refuses more than twice the limit and a
gigabyte. A process that keeps more than a quarter of it after a job is replaced, so that the next job has room.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from adapters.futures import take_note
from adapters.running_time import RunningTime
from adapters.worker_errors import WorkerDied, WorkerError, WorkerOutOfMemory, WorkersClosed, WorkerTimedOut
from adapters.worker_jobs import KEPT_SHARE, Preparation, Ready, work
from adapters.worker_memory import in_use_bytes

__all__ = [
    "RunningJob",
    "WorkerDied",
    "WorkerError",
    "WorkerOutOfMemory",
    "WorkerProcesses",
    "WorkerTimedOut",
    "WorkersClosed",
]

_R = TypeVar("_R")

_LOOK_SECONDS = 0.05


class WorkerProcesses:
    """`count` slots for jobs. A job is a function that can be pickled, as can its arguments and result."""

    def __init__(
        self,
        count: int,
        *,
        initializer: Callable[..., None] | None = None,
        initargs: tuple[Any, ...] = (),
        job_memory_bytes: int | None = None,
    ) -> None:
        """`initializer(*initargs)` runs first in each process; nothing is started yet.

        `job_memory_bytes`: the most that a job may take; None for no limit.
        """
        self._preparation = Preparation(initializer, initargs, job_memory_bytes)
        self._slots = asyncio.Semaphore(count)  # first come, first served
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="worker-process")
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False

    async def run(
        self,
        function: Callable[..., _R],
        *args: Any,
        timeout: timedelta | None = None,  # noqa: ASYNC109 - a process past it is killed, which no cancel scope does
        on_start: Callable[["RunningJob"], None] | None = None,
    ) -> _R:
        """The function's result, or its own exception, from a worker process.

        `timeout` counts from when a slot is free, without the time for which the job is paused; after it, the process
        is killed. It is also killed when the caller is cancelled. `on_start` is given the job when a slot is free.

        Raises: WorkerDied, WorkerTimedOut, WorkerOutOfMemory, WorkersClosed.
        """
        async with self._slots:
            if self._closed:
                raise WorkersClosed
            worker = self._idle.pop() if self._idle else _Worker(self._preparation)
            running = RunningJob(worker)
            if on_start is not None:
                on_start(running)
            self._busy.add(worker)
            job = asyncio.get_running_loop().run_in_executor(self._threads, worker.call, function, args, timeout)
            job.add_done_callback(take_note)
            try:
                result: _R = await asyncio.shield(job)
            except asyncio.CancelledError:
                worker.kill()
                await asyncio.wait([job])
                raise
            finally:
                running.end()
                self._busy.discard(worker)
                if worker.is_usable and not self._closed:
                    self._idle.append(worker)
                else:
                    worker.kill()
            return result

    @property
    def pids(self) -> frozenset[int]:
        """The processes that exist now."""
        workers = (*self._idle, *self._busy)
        return frozenset(worker.pid for worker in workers if worker.pid is not None)

    async def close(self) -> None:
        """End every process. Running jobs end with WorkerDied, waiting jobs with WorkersClosed."""
        self._closed = True
        workers = (*self._idle, *self._busy)
        self._idle.clear()
        for worker in workers:
            worker.kill()
        await asyncio.to_thread(self._join, workers)

    def _join(self, workers: "tuple[_Worker, ...]") -> None:
        self._threads.shutdown()
        for worker in workers:
            worker.join()


class RunningJob:
    """A job that is under way, which can be paused. Used from one event loop."""

    def __init__(self, worker: "_Worker") -> None:
        self._worker: _Worker | None = worker

    def pause(self) -> bool:
        """Stop its process for now; it keeps its memory. Whether that was possible: only while the process is doing
        the job, neither while it is starting nor when the job has ended."""
        return self._worker is not None and self._worker.pause()

    def resume(self) -> None:
        if self._worker is not None:
            self._worker.resume()

    def end(self) -> None:
        """The process is not this job's any more, and runs on in any case."""
        self.resume()
        self._worker = None


class _Worker:
    """One process, for one job at a time."""

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation
        self._begun_bytes: int | None = None
        self._lock = threading.Lock()
        self._process: BaseProcess | None = None
        self._connection: Connection[Any, Any] | None = None
        self._killed = False
        self._is_ready = False
        self._has_job = False
        self._running = RunningTime()

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def is_usable(self) -> bool:
        return not self._killed

    def call(self, function: Callable[..., _R], args: tuple[Any, ...], timeout: timedelta | None) -> _R:
        """Block the calling thread until the job ends, one way or another."""
        try:
            return self._outcome(function, args, timeout)
        except WorkerError:
            self.kill()
            self.join()
            raise
        finally:
            self._has_job = False
            if self._keeps_too_much():
                self.kill()
                self.join()

    def _outcome(self, function: Callable[..., _R], args: tuple[Any, ...], timeout: timedelta | None) -> _R:
        try:
            process, connection = self._started()
            self._running.restart()
            connection.send((function, args))
            self._has_job = True
            answer = None
            while answer is None:
                left = None if timeout is None else timeout.total_seconds() - self._running.seconds()
                if wait([connection, process.sentinel], self._next_look_seconds(left)):
                    # Read even when only the sentinel is ready: a result may have been sent just before the end.
                    answer = self._read(connection)
                elif timeout is not None and self._running.seconds() >= timeout.total_seconds():
                    raise WorkerTimedOut(timeout)
                else:
                    self._check_memory()
            succeeded, outcome = answer
        except (EOFError, ConnectionError) as error:
            raise WorkerDied from error
        if not succeeded:
            raise outcome
        result: _R = outcome
        return result

    def _next_look_seconds(self, left: float | None) -> float | None:
        """`left`: of the job's time, of which nothing goes by while it is paused."""
        if self._preparation.job_memory_bytes is not None:
            return _LOOK_SECONDS
        return None if left is None else max(left, _LOOK_SECONDS)

    def _read(self, connection: "Connection[Any, Any]") -> tuple[bool, Any] | None:
        """The job's outcome; None for the message that the process is ready."""
        message = connection.recv()
        if not isinstance(message, Ready):
            answer: tuple[bool, Any] = message
            return answer
        self._begun_bytes = message.in_use_bytes
        self._is_ready = True
        return None

    def _check_memory(self) -> None:
        most = self._preparation.job_memory_bytes
        if most is not None and self._in_use_beyond(most):
            raise WorkerOutOfMemory(most)

    def _keeps_too_much(self) -> bool:
        most = self._preparation.job_memory_bytes
        return most is not None and self._in_use_beyond(most // KEPT_SHARE)

    def _in_use_beyond(self, more_bytes: int) -> bool:
        """Whether the process has more than so many bytes in use beyond what it began with."""
        pid, begun = self.pid, self._begun_bytes
        in_use = None if pid is None or begun is None else in_use_bytes(pid)
        return in_use is not None and begun is not None and in_use > begun + more_bytes

    def pause(self) -> bool:
        if not self._lock.acquire(blocking=False):  # its process is being started or ended
            return False
        try:
            if self._killed or self._process is None or not (self._is_ready and self._has_job):
                return False
            self._running.stop()
            self._signal(self._process, signal.SIGSTOP)
            return True
        finally:
            self._lock.release()

    def resume(self) -> None:
        with self._lock:
            self._running.go_on()
            if self._process is not None:
                self._signal(self._process, signal.SIGCONT)

    def _signal(self, process: BaseProcess, number: signal.Signals) -> None:
        if process.exitcode is None and process.pid is not None:  # else it is nobody's, or another's by now
            with suppress(ProcessLookupError):  # another thread has just found that it ended
                os.kill(process.pid, number)

    def kill(self) -> None:
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def join(self) -> None:
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.join()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None
        self._is_ready = False

    def _started(self) -> "tuple[BaseProcess, Connection[Any, Any]]":
        with self._lock:
            if self._killed:
                raise WorkerDied
            if self._process is not None and wait([self._process.sentinel], 0):
                self._end()  # it died while idle, which affects no job
            if self._process is None or self._connection is None:
                # Not "fork": the parent has threads, and a fork copies their locks in whatever state they are.
                context = multiprocessing.get_context("spawn")
                self._connection, theirs = context.Pipe()
                self._process = context.Process(target=work, args=(theirs,), name="tapedeck-worker", daemon=True)
                self._process.start()
                theirs.close()  # so that the connection ends with the process
                self._connection.send(self._preparation)
            return self._process, self._connection
