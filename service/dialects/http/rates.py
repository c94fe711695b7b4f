"""How many requests each caller makes per minute, and how many it may. In memory: a restart forgets."""

from collections import OrderedDict
from dataclasses import dataclass

from service.application.clock import Clock

WINDOW_SECONDS = 60

NO_LIMIT = 2**31 - 1
"""The limit reported when there is none: the largest number that every client can read."""

CALLERS_KEPT = 100_000
"""Beyond this many callers, the one that called least recently starts anew."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A caller's count. `resets_at`: when the window ends, in whole Unix seconds."""

    limit: int
    remaining: int
    resets_at: int
    is_exceeded: bool = False


class Rates:
    """Counts in fixed windows, the same for everyone."""

    def __init__(self, limit: int | None, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._window = 0
        self._unlimited = Rate(NO_LIMIT, NO_LIMIT, 0)
        self._counts: OrderedDict[str, int] = OrderedDict()

    @property
    def are_limited(self) -> bool:
        return self._limit is not None

    def count(self, caller: str) -> Rate:
        """The count of `caller` after one more request."""
        window = int(self._clock().timestamp()) // WINDOW_SECONDS
        resets_at = (window + 1) * WINDOW_SECONDS
        if self._limit is None:
            if self._unlimited.resets_at != resets_at:
                self._unlimited = Rate(NO_LIMIT, NO_LIMIT, resets_at)
            return self._unlimited
        if window != self._window:
            self._window = window
            self._counts.clear()
        count = self._counts.pop(caller, 0) + 1
        self._counts[caller] = count
        if len(self._counts) > CALLERS_KEPT:
            self._counts.popitem(last=False)
        return Rate(self._limit, max(0, self._limit - count), resets_at, is_exceeded=count > self._limit)
