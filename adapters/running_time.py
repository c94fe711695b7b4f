"""How long something has run that is paused now and then."""

import threading
import time
from collections.abc import Callable


class RunningTime:
    """For how long a job has run, without its pauses, in seconds. Used from several threads."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.restart()

    def restart(self) -> None:
        with self._lock:
            self._before = 0.0
            self._since: float | None = self._clock()

    def stop(self) -> None:
        with self._lock:
            self._before, self._since = self._seconds(), None

    def go_on(self) -> None:
        with self._lock:
            self._since = self._clock() if self._since is None else self._since

    def seconds(self) -> float:
        with self._lock:
            return self._seconds()

    def _seconds(self) -> float:
        return self._before + (0.0 if self._since is None else self._clock() - self._since)
