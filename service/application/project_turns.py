"""What one project has waiting and under way at scarce places, and how much it has used them.

A turn waits; then it is granted, and has begun. What has begun is active or paused.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from typing import Protocol

HALF_LIFE_SECONDS = 600.0
"""What a project has used counts half after this time: nobody pays for yesterday, or saves for a rainy day."""

QUANTUM_SECONDS = 1.0
"""A turn lasts for so long at least before it is paused: what is as good as done is not worth stopping."""

_FORGOTTEN_SECONDS = 0.01


class Urgency(Enum):
    LIVE = "live"
    SHORT = "short"
    LONG = "long"
    ALONG = "along"
    AHEAD = "ahead"


_SPARE = {Urgency.ALONG: 1, Urgency.AHEAD: 2}


class Pausable(Protocol):
    """Work that is under way, such as a job in a worker process."""

    def pause(self) -> bool:
        """Whether it stands still now."""
        ...

    def resume(self) -> None: ...


class Turn:
    """Somebody's turn, from the wish for it to its end.

    `is_waited_for`: a stage waits for this work ahead, which has begun. It ranks as short work from then on.
    """

    is_waited_for = False

    def __init__(self, urgency: Urgency, since: float) -> None:
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.since = since
        self.urgency = urgency
        self.is_starved = False
        self.has_begun = self.has_ended = False
        self.active_since: float | None = None
        self._work: Pausable | None = None

    @property
    def is_live(self) -> bool:
        return self.urgency is Urgency.LIVE

    @property
    def is_long(self) -> bool:
        return self.urgency is Urgency.LONG

    @property
    def is_along(self) -> bool:
        return self.urgency is Urgency.ALONG

    @property
    def is_ahead(self) -> bool:
        return self.urgency is Urgency.AHEAD and not self.is_waited_for

    @property
    def is_spare(self) -> bool:
        """Whether it was wanted as work that nobody waits for. Of that, so much is begun, whatever becomes of it."""
        return self.urgency in _SPARE

    @property
    def spare(self) -> int:
        """0 for work that a transcript waits for; the more, the sooner it stands still for other work."""
        return 0 if self.is_waited_for else _SPARE.get(self.urgency, 0)

    def is_used_by(self, work: Pausable) -> None:
        """The work that this turn is for is this from now on, and can be paused."""
        self._work = work

    def take_over(self, other: "Turn") -> None:
        """The work of another turn is this one's from now on: it stands still while this turn does."""
        self._work = other.lose_work()
        was_active, is_active = other.active_since is not None, self.active_since is not None
        if self._work is not None and is_active and not was_active:
            self._work.resume()
        elif self._work is not None and was_active and not is_active:
            self._work.pause()

    def lose_work(self) -> Pausable | None:
        work, self._work = self._work, None
        return work

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
class ProjectTurns:
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
            self.waiting[turn.urgency].remove(turn)
            self.begun.append(turn)
        turn.start(now)

    def pause(self, turn: Turn, now: float) -> bool:
        """Whether it stands still now."""
        if not turn.pause():
            return False
        self._stop(turn, now)
        return True

    def end(self, turn: Turn, now: float) -> None:
        turn.has_ended = True
        if turn.has_begun:
            self._stop(turn, now)
            self.begun.remove(turn)
        else:  # its caller was cancelled while it waited
            self.waiting[turn.urgency].remove(turn)

    def _stop(self, turn: Turn, now: float) -> None:
        if turn.active_since is not None:
            self._used.add(self._seconds(turn, now), now)
            self._live_at = now if turn.is_live else self._live_at
            turn.active_since = None

    def is_forgotten(self, now: float) -> bool:
        return not (self.begun or any(self.waiting.values())) and self._used.at(now) < _FORGOTTEN_SECONDS

    def used_by(self, now: float) -> float:
        """Also by what runs, so that a project does not get all places while its first work is still under way."""
        return self._used.at(now) + sum(self._seconds(turn, now) for turn in self.begun)

    def _seconds(self, turn: Turn, now: float) -> float:
        """Those that count. Work along is done while others need nothing, and costs a project none of its rights."""
        return now - turn.active_since if turn.active_since is not None and not turn.is_along else 0.0

    def live_served_at(self, now: float) -> float:
        """When live work of it ran last."""
        return now if any(turn.is_live for turn in self.active()) else self._live_at
