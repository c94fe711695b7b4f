"""Runs CPU-heavy functions in separate processes; promises that a job that crashes, hangs or hogs harms no other job.

Each slot is one process, started when first needed and replaced when it dies. Jobs wait in the order in which they
came. A process ends on its own when its parent is gone, even if that was killed.
"""

import asyncio
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, ClassVar, TypeVar

_R = TypeVar("_R")

_NICENESS = 10
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class WorkerError(Exception):
    """A job did not finish, through no known fault of its own. It may be tried again."""

    is_retryable: ClassVar[bool] = True


class WorkerDied(WorkerError):
    """The process ended in the middle of the job: killed, crashed, or out of memory."""

    def __str__(self) -> str:
        return "The worker process died in the middle of its job."


class WorkerTimedOut(WorkerError):
    def __init__(self, timeout: timedelta) -> None:
        super().__init__(timeout)
        self.timeout = timeout

    def __str__(self) -> str:
        return f"The job took longer than {self.timeout.total_seconds():g} s and was stopped."


class WorkersClosed(WorkerError):
    def __str__(self) -> str:
        return "The worker processes are closed."


class WorkerProcesses:
    """`count` slots for jobs. A job is a function that can be pickled, as can its arguments and result."""

    def __init__(
        self, count: int, *, initializer: Callable[..., None] | None = None, initargs: tuple[Any, ...] = ()
    ) -> None:
        """`initializer(*initargs)` runs first in each process; nothing is started yet."""
        self._initializer = initializer
        self._initargs = initargs
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
    ) -> _R:
        """The function's result, or its own exception, from a worker process.

        `timeout` counts from when a slot is free; after it, the process is killed. It is also killed when the caller is
        cancelled.

        Raises: WorkerDied, WorkerTimedOut, WorkersClosed.
        """
        async with self._slots:
            if self._closed:
                raise WorkersClosed
            worker = self._idle.pop() if self._idle else _Worker(self._initializer, self._initargs)
            self._busy.add(worker)
            job = asyncio.get_running_loop().run_in_executor(self._threads, worker.call, function, args, timeout)
            try:
                result: _R = await asyncio.shield(job)
            except asyncio.CancelledError:
                worker.kill()
                await asyncio.wait([job])
                job.exception()  # it ended like any killed worker's job, and nobody else will retrieve that
                raise
            finally:
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


class _Worker:
    """One process, for one job at a time."""

    def __init__(self, initializer: Callable[..., None] | None, initargs: tuple[Any, ...]) -> None:
        self._initializer = initializer
        self._initargs = initargs
        self._lock = threading.Lock()
        self._process: BaseProcess | None = None
        self._connection: Connection[Any, Any] | None = None
        self._killed = False

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

    def _outcome(self, function: Callable[..., _R], args: tuple[Any, ...], timeout: timedelta | None) -> _R:
        try:
            process, connection = self._started()
            connection.send((function, args))
            ready = wait([connection, process.sentinel], None if timeout is None else timeout.total_seconds())
            if not ready and timeout is not None:
                raise WorkerTimedOut(timeout)
            # Checked even when only the sentinel is ready: a result may have been sent just before the end.
            succeeded, outcome = connection.recv()
        except (EOFError, ConnectionError) as error:
            raise WorkerDied from error
        if not succeeded:
            raise outcome
        result: _R = outcome
        return result

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
                self._process = context.Process(
                    target=_work, args=(theirs, self._initializer, self._initargs), name="tapedeck-worker", daemon=True
                )
                self._process.start()
                theirs.close()  # so that the connection ends with the process
            return self._process, self._connection


def _work(
    connection: "Connection[Any, Any]", initializer: Callable[..., None] | None, initargs: tuple[Any, ...]
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent closes in order
    os.nice(_NICENESS)  # requests are answered before recordings are transcribed
    for name in _THREAD_SETTINGS:
        os.environ[name] = "1"  # the cores are shared by one process per slot
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer(*initargs)
    while True:
        try:
            function, args = connection.recv()
        except EOFError:
            return
        outcome = _outcome(function, args)
        try:
            connection.send(outcome)
        except (
            pickle.PicklingError,
            TypeError,
            AttributeError,
        ) as error:  # all three come from what cannot be pickled
            connection.send((False, TypeError(f"The job's result cannot be sent back: {error}")))


def _outcome(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[bool, Any]:
    try:
        return True, function(*args)
    except Exception as error:  # noqa: BLE001 - every error goes to the caller, in another process
        error.add_note("In a worker process:\n" + "".join(traceback.format_exception(error)).rstrip())
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - what was dumped just here
        except Exception:  # noqa: BLE001 - a foreign class may raise anything when it is pickled
            return False, RuntimeError(f"{type(error).__name__}: {error}")
        return False, error


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
