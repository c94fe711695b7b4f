"""Fair turns at what is scarce, such as worker processes: between projects, and short work before long.

- Short work waits for what runs, never for long work that waits. Long work never takes the last place: of several
  places one is for short work only; where there is one place, long work has a second one to itself.
- Of the projects that wait, the one that has used the places least lately is next. So a project with one recording
  waits for no queue of another's, however many recordings, keys or connections that has.
- Long work that has waited for `PATIENCE` counts as short, so that it gets its turn however much short work comes.
- Within a project, the first to come is the first to be served.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

SHORT = timedelta(minutes=3)
"""Work that takes longer than this is long. It is stopped then, and begun anew as long work."""

PATIENCE = timedelta(hours=1)

HALF_LIFE_SECONDS = 600.0
"""What a project has used counts half after this time: nobody pays for yesterday, or saves for a rainy day."""

_FORGOTTEN_SECONDS = 0.01


class Turns:
    """Turns at `count` places. Used from one event loop. `clock`: seconds that never go back."""

    def __init__(self, count: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_short = count
        self._most_long = max(1, count - 1)
        self.places = max(2, count)
        """How many turns are taken at once at most."""
        self._clock = clock
        self._projects: defaultdict[str, _Project] = defaultdict(_Project)
        self._short_running = 0
        self._long_running = 0

    @asynccontextmanager
    async def turn(self, project: str, *, is_long: bool = False) -> AsyncIterator[None]:
        """Wait for a place, which is the caller's until the block ends."""
        wish = _Wish(is_long, self._clock(), asyncio.get_running_loop().create_future())
        its = self._projects[project]
        its.waiting(is_long).append(wish)
        self._hand_out()
        try:
            await wish.granted
            yield
        finally:
            self._leave(its, wish)

    def _leave(self, its: "_Project", wish: "_Wish") -> None:
        now = self._clock()
        if wish.began_at is None:  # its caller was cancelled while it waited
            its.waiting(wish.is_long).remove(wish)
        else:
            its.running.remove(wish)
            its.used.add(now - wish.began_at, now)
            self._short_running -= not wish.is_long
            self._long_running -= wish.is_long
        for name in [name for name, each in self._projects.items() if each.is_forgotten(now)]:
            del self._projects[name]
        self._hand_out()

    def _hand_out(self) -> None:
        now = self._clock()
        while (found := min(self._candidates(now), default=None, key=lambda candidate: candidate.rank)) is not None:
            wish = found.wish
            found.its.waiting(wish.is_long).remove(wish)
            wish.began_at = now
            found.its.running.append(wish)
            self._short_running += not wish.is_long
            self._long_running += wish.is_long
            wish.granted.set_result(None)

    def _candidates(self, now: float) -> "Iterator[_Candidate]":
        """The first of each project's short and of its long work, if there is a place for it."""
        if self._short_running + self._long_running >= self.places:
            return
        has_place = {False: self._short_running < self._most_short, True: self._long_running < self._most_long}
        for its in self._projects.values():
            for wish in (its.first(is_long=False), its.first(is_long=True)):
                if wish is not None and has_place[wish.is_long]:
                    is_later = wish.is_long and now - wish.since < PATIENCE.total_seconds()
                    yield _Candidate(its, wish, (is_later, its.used_by(now), wish.since))


@dataclass(slots=True, eq=False)
class _Wish:
    is_long: bool
    since: float
    granted: asyncio.Future[None]
    began_at: float | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    its: "_Project"
    wish: _Wish
    rank: tuple[bool, float, float]


@dataclass(slots=True)
class _Used:
    """Seconds at places, each counting the less the longer ago it was."""

    seconds: float = 0.0
    counted_at: float = 0.0

    def at(self, now: float) -> float:
        return float(self.seconds * 0.5 ** ((now - self.counted_at) / HALF_LIFE_SECONDS))

    def add(self, seconds: float, now: float) -> None:
        self.seconds, self.counted_at = self.at(now) + seconds, now


@dataclass(slots=True, eq=False)
class _Project:
    short: deque[_Wish] = field(default_factory=deque)
    long: deque[_Wish] = field(default_factory=deque)
    running: list[_Wish] = field(default_factory=list)
    used: _Used = field(default_factory=_Used)

    def waiting(self, is_long: bool) -> deque[_Wish]:
        return self.long if is_long else self.short

    def first(self, *, is_long: bool) -> _Wish | None:
        """The first that waits; one whose caller is being cancelled is about to go."""
        return next((wish for wish in self.waiting(is_long) if not wish.granted.done()), None)

    def is_forgotten(self, now: float) -> bool:
        return not (self.short or self.long or self.running) and self.used.at(now) < _FORGOTTEN_SECONDS

    def used_by(self, now: float) -> float:
        """Also by what runs, so that a project does not get all places while its first work is still under way."""
        return self.used.at(now) + sum(now - wish.began_at for wish in self.running if wish.began_at is not None)
