"""Why a job in a worker process did not finish."""

from datetime import timedelta
from typing import ClassVar

from adapters.worker_memory import MEBIBYTE


class WorkerError(Exception):
    """A job did not finish. `reason` is a code for programs, `str(error)` one sentence for people."""

    reason: ClassVar[str] = "internal_error"
    is_retryable: ClassVar[bool] = True
    """Whether it was through no known fault of the job's own, so that it may be tried again."""


class WorkerDied(WorkerError):
    """The process ended in the middle of the job: killed, crashed, or out of memory."""

    def __str__(self) -> str:
        return "The worker process died in the middle of its job."


class WorkerTimedOut(WorkerError):
    reason = "took_too_long"
    is_retryable = False

    def __init__(self, timeout: timedelta) -> None:
        super().__init__(timeout)
        self.timeout = timeout

    def __str__(self) -> str:
        return f"The job took longer than {self.timeout.total_seconds():g} s and was stopped."


class WorkerOutOfMemory(WorkerError):
    reason = "too_much_memory"
    is_retryable = False

    def __init__(self, most_bytes: int) -> None:
        super().__init__(most_bytes)
        self.most_bytes = most_bytes

    def __str__(self) -> str:
        most = self.most_bytes // MEBIBYTE
        return (
            f"Processing needed more memory than the {most} MiB that one job may take (TAPEDECK_WORKER_MEMORY_BYTES)."
        )


class WorkersClosed(WorkerError):
    def __str__(self) -> str:
        return "The worker processes are closed."
