"""Fair turns at what is scarce, such as worker processes: between projects, and short work before long.

- Of the projects that wait, the one that has used the places least lately is next. So a project with one recording
  waits for no queue of another's, however many recordings, keys or connections that has.
- It does not wait for what runs either, where that can be paused: work of a project that has used at least `HEAVIER`
  times as much is paused for it, and goes on afterwards.
- Live work, whose caller waits for the result, comes before a project's other work, and pauses that of projects which
  have used no less than half as much. A project's live work is never kept waiting by others for longer than
  `LIVE_PATIENCE`.
- Short work never waits for long work that waits. Long work never takes the last place: of several places one is for
  short work only; where there is one place, long work has a second one to itself. Long work that has waited for
  `PATIENCE` counts as short, so that it gets its turn however much short work comes.
- Within a project, the first to come is the first to be served.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from itertools import islice
from typing import Protocol

SHORT = timedelta(minutes=3)
"""Work that takes longer than this is long. It is stopped then, and begun anew as long work."""

PATIENCE = timedelta(hours=1)

LIVE_PATIENCE = timedelta(seconds=10)

HALF_LIFE_SECONDS = 600.0
"""What a project has used counts half after this time: nobody pays for yesterday, or saves for a rainy day."""

HEAVIER = 2.0

QUANTUM_SECONDS = 1.0
"""Work runs for so long at least before it is paused: what is as good as done is not worth stopping."""

_MORE_PAUSED_FOR_LIVE = 1
"""Live work is soon done, and finds somebody to pause however much is paused for others."""

_FORGOTTEN_SECONDS = 0.01


class Urgency(Enum):
    LIVE = "live"
    SHORT = "short"
    LONG = "long"


def note_urgency(limit: timedelta) -> Urgency:
    """Of writing a note, which may take so long."""
    return Urgency.LONG if limit > SHORT else Urgency.SHORT


class Pausable(Protocol):
    """Work that is under way, such as a job in a worker process."""

    def pause(self) -> bool:
        """Whether it stands still now."""
        ...

    def resume(self) -> None: ...


class Turns:
    """Turns at `count` places. Used from one event loop. `clock`: seconds that never go back."""

    def __init__(self, count: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_short = count
        self._most_long = max(1, count - 1)
        self._most_paused = count
        self._places = max(2, count)
        self._clock = clock
        self._projects: defaultdict[str, _Project] = defaultdict(_Project)
        self._next_look: asyncio.TimerHandle | None = None

    @property
    def most_begun(self) -> int:
        """How much work is under way at once at most, with what is paused."""
        return self._places + self._most_paused + _MORE_PAUSED_FOR_LIVE

    @asynccontextmanager
    async def turn(self, project: str, urgency: Urgency = Urgency.SHORT) -> AsyncIterator["Turn"]:
        """Wait for a place, which is the caller's until the block ends. Work that can be paused is named to the turn:
        `turn.is_used_by(work)`."""
        its = self._projects[project]
        turn = Turn(urgency, self._clock())
        its.waiting[urgency].append(turn)
        try:
            self.look()
            await turn.granted
            yield turn
        finally:
            self._leave(its, turn)

    def look(self) -> None:
        """Give the places to those whose turn it is. It is done anyway whenever somebody comes or leaves, and once a
        second while somebody waits."""
        now = self._clock()
        while self._hand_out_one(now):
            pass
        if self._next_look is not None:
            self._next_look.cancel()
        waits = any(True for its in self._projects.values() for _ in its.next_turns())
        self._next_look = asyncio.get_running_loop().call_later(QUANTUM_SECONDS, self.look) if waits else None

    def _leave(self, its: "_Project", turn: "Turn") -> None:
        now = self._clock()
        its.end(turn, now)
        for name in [name for name, each in self._projects.items() if each.is_forgotten(now)]:
            del self._projects[name]
        self.look()

    def _hand_out_one(self, now: float) -> bool:
        waiting = sorted(self._waiting(now), key=lambda rank: rank.key)
        under_way = _UnderWay(self._projects.values(), now) if waiting else None
        for rank in waiting:
            if under_way is not None and (
                self._may_take_a_place(rank.turn, under_way) or self._pause_for(rank, under_way)
            ):
                rank.turn.is_starved = rank.is_starved
                rank.its.start(rank.turn, now)
                return True
        return False

    def _waiting(self, now: float) -> "Iterator[_Rank]":
        return (_Rank(its, turn, now) for its in self._projects.values() for turn in its.next_turns())

    def _may_take_a_place(self, turn: "Turn", under_way: "_UnderWay") -> bool:
        """Who was paused for live work goes on before others begin, so that the next live work can pause somebody."""
        goes_first = turn.has_begun or turn.is_live
        return (goes_first or under_way.paused <= self._most_paused) and self._has_place(turn, under_way)

    def _has_place(self, turn: "Turn", under_way: "_UnderWay", *, without: "Turn | None" = None) -> bool:
        active = [each.turn.is_long for each in under_way.heaviest_first if each.turn is not without]
        most = self._most_long if turn.is_long else self._most_short
        return len(active) < self._places and active.count(turn.is_long) < most

    def _pause_for(self, rank: "_Rank", under_way: "_UnderWay") -> bool:
        """Whether there is a place now, because the work that has least right to go on stands still.

        What is paused is limited by itself, so that whoever has a place is also within `most_begun`.
        """
        most = self._most_paused + (_MORE_PAUSED_FOR_LIVE if rank.turn.is_live else 0)
        if under_way.paused + (not rank.turn.has_begun) > most:
            return False
        return any(
            rank.may_pause(other)
            and self._has_place(rank.turn, under_way, without=other.turn)
            and other.turn.has_run_enough(under_way.now)
            and other.its.pause(other.turn, under_way.now)
            for other in under_way.heaviest_first
        )


class Turn:
    """Somebody's turn, from the wish for it to its end."""

    def __init__(self, urgency: Urgency, since: float) -> None:
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.since = since
        self.is_live = urgency is Urgency.LIVE
        self.is_long = urgency is Urgency.LONG
        self.is_starved = False
        self.has_begun = False
        self.active_since: float | None = None
        self._work: Pausable | None = None

    def is_used_by(self, work: Pausable) -> None:
        """The work that this turn is for is this from now on, and can be paused."""
        self._work = work

    def has_run_enough(self, now: float) -> bool:
        return self.active_since is not None and now - self.active_since >= QUANTUM_SECONDS

    def start(self, now: float) -> None:
        """Begin, or go on."""
        self.active_since = now
        if not self.has_begun:
            self.has_begun = True
            self.granted.set_result(None)
        elif self._work is not None:
            self._work.resume()

    def pause(self) -> bool:
        """Whether it stands still now."""
        return self._work is not None and self._work.pause()


class _Rank:
    """How urgent a turn is, now. `used`: by its project. `is_starved`: live work that others keep waiting too long."""

    def __init__(self, its: "_Project", turn: Turn, now: float) -> None:
        self.its, self.turn, self.used = its, turn, its.used_by(now)
        unserved = timedelta(seconds=now - max(turn.since, its.live_served_at(now)))
        self.is_starved = turn.is_starved or (turn.is_live and unserved >= LIVE_PATIENCE)
        self._is_later = turn.is_long and now - turn.since < PATIENCE.total_seconds()

    @property
    def key(self) -> tuple[bool, bool, float, float]:
        """Of those that wait, the least is next. Who waits anew must have used clearly less than who has begun."""
        weight = (1 / HEAVIER if self.turn.has_begun else 1.0) * (1 / HEAVIER if self.turn.is_live else 1.0)
        return not self.is_starved, self._is_later, weight * self.used, self.turn.since

    def may_pause(self, active: "_Rank") -> bool:
        if self.is_starved or active.is_starved:
            return self.is_starved and not active.is_starved
        is_favoured = self.turn.is_live and not active.turn.is_live
        return self.used < active.used * (HEAVIER if is_favoured else 1 / HEAVIER)


class _UnderWay:
    """What is active, and how many are paused, now."""

    def __init__(self, projects: "Iterable[_Project]", now: float) -> None:
        begun = [(its, turn) for its in projects for turn in its.begun]
        active = (_Rank(its, turn, now) for its, turn in begun if turn.active_since is not None)
        self.now = now
        self.heaviest_first = sorted(active, key=lambda rank: rank.used, reverse=True)
        self.paused = len(begun) - len(self.heaviest_first)


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
    """`waiting`: by urgency, in the order in which they came. `begun`: what is active, and what is paused."""

    waiting: dict[Urgency, deque[Turn]] = field(default_factory=lambda: {urgency: deque() for urgency in Urgency})
    begun: list[Turn] = field(default_factory=list)
    _used: _Used = field(default_factory=_Used)
    _live_at: float = float("-inf")

    def active(self) -> Iterator[Turn]:
        return (turn for turn in self.begun if turn.active_since is not None)

    def next_turns(self) -> Iterator[Turn]:
        """What is paused, and of each urgency the first that waits; one whose caller is being cancelled is about to
        go."""
        yield from (turn for turn in self.begun if turn.active_since is None)
        for turns in self.waiting.values():
            yield from islice((turn for turn in turns if not turn.granted.done()), 1)

    def start(self, turn: Turn, now: float) -> None:
        if not turn.has_begun:
            self._no_longer_waits(turn)
            self.begun.append(turn)
        turn.start(now)

    def pause(self, turn: Turn, now: float) -> bool:
        """Whether it stands still now."""
        if not turn.pause():
            return False
        self._stop(turn, now)
        return True

    def end(self, turn: Turn, now: float) -> None:
        if turn.has_begun:
            self._stop(turn, now)
            self.begun.remove(turn)
        else:  # its caller was cancelled while it waited
            self._no_longer_waits(turn)

    def _stop(self, turn: Turn, now: float) -> None:
        if turn.active_since is not None:
            self._used.add(now - turn.active_since, now)
            self._live_at = now if turn.is_live else self._live_at
            turn.active_since = None

    def _no_longer_waits(self, turn: Turn) -> None:
        next(turns for turns in self.waiting.values() if turn in turns).remove(turn)

    def is_forgotten(self, now: float) -> bool:
        return not (self.begun or any(self.waiting.values())) and self._used.at(now) < _FORGOTTEN_SECONDS

    def used_by(self, now: float) -> float:
        """Also by what runs, so that a project does not get all places while its first work is still under way."""
        return self._used.at(now) + sum(now - since for since in self._active_since())

    def _active_since(self) -> Iterator[float]:
        return (turn.active_since for turn in self.begun if turn.active_since is not None)

    def live_served_at(self, now: float) -> float:
        """When live work of it ran last."""
        return now if any(turn.is_live for turn in self.active()) else self._live_at
