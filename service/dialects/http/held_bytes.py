"""One budget for all bytes of bodies and answers that are held in memory, fair among callers.

The rule: what one caller holds is never more than what is left free for the others. So one caller gets at most half of
the budget, two that want all of it a third each, and something is always free for the next.

What arrives, or is fetched, more slowly than `SLOWEST_BYTES_PER_SECOND` gives way to what would not fit otherwise.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

from service.dialects.http.remote import remote_of

SLOWEST_BYTES_PER_SECOND = 32 * 1024
GRACE_SECONDS = 10.0
"""For so long, nothing is called slow."""

Monotonic = Callable[[], float]
"""Seconds that only ever grow."""


class TooMuchHeld(Exception):
    """There is no room for these bytes now; nothing of them was kept."""

    def __init__(self, sentence: str = "The service holds as much as it may at once; try again in a moment.") -> None:
        super().__init__(sentence)


class GaveWay(TooMuchHeld):
    """A slow body was given up for others."""

    def __init__(self) -> None:
        super().__init__("The body arrived too slowly while others waited, and none of it was stored; send it again.")


class HeldBytes:
    """The budget. `clock`: for the pace of what is moved."""

    def __init__(self, most_bytes: int, *, clock: Monotonic = time.monotonic) -> None:
        self.most_bytes = most_bytes
        self._clock = clock
        self._held_bytes = 0
        self._of_callers: Counter[str] = Counter()
        self._moving: dict[Hold, None] = {}
        self._given_back_bytes = 0
        self._less = asyncio.Event()

    @property
    def held_bytes(self) -> int:
        return self._held_bytes

    def hold(self, caller: str) -> "Hold":
        """Nothing yet, for `caller`."""
        return Hold(self, caller)

    def change(self, hold: "Hold", size_bytes: int) -> None:
        """Only for holds. Raises: TooMuchHeld, with nothing changed."""
        more = size_bytes - hold.size_bytes
        if more > 0 and not self._fits(hold.caller, more):
            self._make_room(hold, more)
        self._held_bytes += more
        if more < 0:
            self._given_back_bytes -= more
            self._less.set()
        self._of_callers[hold.caller] += more
        if not self._of_callers[hold.caller]:
            del self._of_callers[hold.caller]
        hold.size_bytes = size_bytes

    async def until_given_back(self, size_bytes: int) -> None:
        """Returns when so much, of whomever, has ended since this returned last; perhaps at once. For one task."""
        while self._given_back_bytes < size_bytes:
            self._less.clear()
            await self._less.wait()
        self._given_back_bytes = 0

    def moves(self, hold: "Hold", *, begins: bool) -> float:
        """Only for holds. Whether its bytes are under way; the time now."""
        if begins:
            self._moving[hold] = None
        else:
            self._moving.pop(hold, None)
        return self._clock()

    def _fits(self, caller: str, more: int, *, freed: int = 0, freed_of_caller: int = 0) -> bool:
        its_own = self._of_callers[caller] - freed_of_caller + more
        return its_own <= self.most_bytes - (self._held_bytes - freed + more)

    def _make_room(self, newcomer: "Hold", more: int) -> None:
        """End as few slow holds as needed, the newcomer's own ones first. Raises: TooMuchHeld, with none ended."""
        now, freed, freed_of_caller = self._clock(), 0, 0
        slow = [hold for hold in self._moving if hold is not newcomer and hold.is_slow(now)]
        slow.sort(key=lambda hold: (hold.caller != newcomer.caller, -hold.size_bytes))
        for count, hold in enumerate(slow, 1):
            freed += hold.size_bytes
            freed_of_caller += hold.size_bytes if hold.caller == newcomer.caller else 0
            if self._fits(newcomer.caller, more, freed=freed, freed_of_caller=freed_of_caller):
                for ended in slow[:count]:
                    ended.give_way()
                return
        raise TooMuchHeld


class Hold:
    """What one request holds of the budget: first its body, then its answer."""

    def __init__(self, budget: HeldBytes, caller: str) -> None:
        self._budget = budget
        self.caller = caller
        self.size_bytes = 0
        self._began = 0.0
        self._moved_bytes: Callable[[], int] = int
        self._end: Callable[[], None] | None = None
        self._has_given_way = False

    def reserve(self, size_bytes: int) -> None:
        """Hold at least so much. Raises: TooMuchHeld, and then it holds what it held; GaveWay."""
        if self._has_given_way:
            raise GaveWay
        if size_bytes > self.size_bytes:
            self._budget.change(self, size_bytes)

    def shrink_to(self, size_bytes: int) -> None:
        """Hold no more than that."""
        if size_bytes < self.size_bytes:
            self._budget.change(self, size_bytes)

    @contextmanager
    def moving(self, moved_bytes: Callable[[], int], end: Callable[[], None]) -> Iterator[None]:
        """While the bytes arrive or are fetched. `moved_bytes`: how many have been. `end`: called at most once, if they
        are slow and others need the room; what is held is given back then."""
        self._moved_bytes, self._end = moved_bytes, end
        self._began = self._budget.moves(self, begins=True)
        try:
            yield
        finally:
            self._budget.moves(self, begins=False)
            self._end = None

    def is_slow(self, now: float) -> bool:
        seconds = now - self._began
        return seconds > GRACE_SECONDS and self._moved_bytes() < SLOWEST_BYTES_PER_SECOND * seconds

    def give_way(self) -> None:
        """End what is moving, and hold nothing."""
        end, self._has_given_way = self._end, True
        self._budget.moves(self, begins=False)
        self.shrink_to(0)
        if end is not None:
            end()


CALLER = web.RequestKey("caller", str)
"""Whose request it is, as soon as its key or token says so."""

_HOLD = web.RequestKey("hold", Hold)


def hold_of(request: web.Request, budget: HeldBytes) -> Hold:
    """What the request holds, which is its caller's, or its address's as long as nobody has said who calls."""
    held: Hold | None = request.get(_HOLD)
    if held is None:
        held = request[_HOLD] = budget.hold(request.get(CALLER) or f"address {remote_of(request)}")
    return held


def let_go(request: web.Request) -> None:
    """Give back whatever the request holds."""
    held: Hold | None = request.get(_HOLD)
    if held is not None:
        held.shrink_to(0)
