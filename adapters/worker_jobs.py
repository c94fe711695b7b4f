"""What runs in a worker process: one job after another, as its parent sends them."""

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from adapters.worker_errors import WorkerOutOfMemory
from adapters.worker_memory import give_back_memory, limit_own_memory, own_peak_bytes

_NICENESS = 10
_PR_SET_PDEATHSIG = 1  # from linux/prctl.h
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_MUCH_TO_RESERVE = 1 << 30
"""Far more is reserved than ever used, above all by FFmpeg, which takes it for damage when that is refused."""

KEPT_SHARE = 4
"""A process that keeps more than this part of a job's memory, one in so many, is replaced."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """What each process does before its first job, and what a job may take."""

    initializer: Callable[..., None] | None
    initargs: tuple[Any, ...]
    job_memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Ready:
    """A process' first message: how much it had in use at most before its first job, if that is known."""

    in_use_bytes: int | None


def work(connection: "Connection[Any, Any]") -> None:
    """Do jobs until the parent closes the connection. Its first message is the process' `Preparation`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent closes in order
    os.nice(_NICENESS)  # requests are answered before recordings are transcribed
    for name in _THREAD_SETTINGS:
        os.environ[name] = "1"  # the cores are shared by one process per slot; numpy reads this when it is imported
    _end_with_parent()
    preparation: Preparation = connection.recv()
    if preparation.initializer is not None:
        preparation.initializer(*preparation.initargs)
    limit = _JobMemory(preparation.job_memory_bytes)
    connection.send(Ready(limit.begun_bytes))
    while True:
        try:
            function, args = connection.recv()
        except EOFError:
            return
        outcome = limit.judged(_outcome(function, args))
        del args
        try:
            connection.send(outcome)
        except (
            pickle.PicklingError,
            TypeError,
            AttributeError,
        ) as error:  # all three come from what cannot be pickled
            connection.send((False, TypeError(f"The job's result cannot be sent back: {error}")))


class _JobMemory:
    """The limit on a job's memory, seen from its own process."""

    def __init__(self, most_bytes: int | None) -> None:
        """Measures what the process has in use before its first job."""
        self._most_bytes = most_bytes
        self.begun_bytes = own_peak_bytes()
        if most_bytes is not None:
            limit_own_memory(2 * most_bytes + _MUCH_TO_RESERVE)

    def judged(self, outcome: tuple[bool, Any]) -> tuple[bool, Any]:
        """A job's outcome, or that it took too much: what it found after memory was refused to it need not be true."""
        most, begun, peak = self._most_bytes, self.begun_bytes, own_peak_bytes()
        if most is None:
            return outcome
        if isinstance(outcome[1], MemoryError):
            return False, WorkerOutOfMemory(most)
        if begun is not None and peak is not None and peak > begun + most // KEPT_SHARE:
            give_back_memory()
            return (False, WorkerOutOfMemory(most)) if peak > begun + most else outcome
        return outcome


def _outcome(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[bool, Any]:
    try:
        return True, function(*args)
    except Exception as error:  # noqa: BLE001 - every error goes to the caller, in another process
        error.add_note("In a worker process:\n" + "".join(traceback.format_exception(error)).rstrip())
        try:
            # A copy, without the frames in which it was raised, which hold what the job worked on.
            return False, pickle.loads(pickle.dumps(error))  # noqa: S301 - what was dumped just here
        except Exception:  # noqa: BLE001 - a foreign class may raise anything when it is pickled
            return False, RuntimeError(f"{type(error).__name__}: {error}")


def _end_with_parent() -> None:
    """End when the parent is gone, also while this process is stopped: Linux kills it then (the parent counts as gone
    when the thread that started this process has ended); other systems continue a stopped process whose group has lost
    its parent, as POSIX demands."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
