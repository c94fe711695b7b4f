"""Fair turns at what is scarce, such as worker processes: between projects, and short work before long.

- Of the projects that wait, the one that has used the places least lately is next. So a project with one recording
  waits for no queue of another's, however many recordings, keys or connections that has.
- It does not wait for what runs either, where that can be paused: work of a project that has used at least `HEAVIER`
  times as much, and no less than `LIGHT_SECONDS`, is paused for it, and goes on afterwards.
- Live work, whose caller waits for the result, comes before a project's other work, and pauses that of projects which
  have used no less than half as much. A project's live work is never kept waiting by others for longer than
  `LIVE_PATIENCE`.
- Short work never waits for long work that waits. Long work never takes the last place: of several places one is for
  short work only; where there is one place, long work has a second one to itself. Long work that has waited for
  `PATIENCE` counts as short, so that it gets its turn however much short work comes.
- Work ahead, which nobody waits for yet, is done only while no other work waits, and stands still for any other. What a
  stage comes to wait for is short work from then on, or is done in the stage's own turn: then it stands still only
  while the stage does. So no work ahead or along stops it.
- Work along, for who listens to what is not whole yet, is like work ahead, and comes before it, but for work ahead that
  was wanted `AHEAD_PATIENCE` ago: that goes first where it waits or is paused, and is not paused for work along where
  it runs. Places that are free are for work along at once, whatever runs. It does not count as use.
- Within a project, the first to come is the first to be served.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from service.application.project_turns import QUANTUM_SECONDS, ProjectTurns, Turn, Urgency
from service.application.turn_ranks import Rank, UnderWay

SHORT = timedelta(minutes=3)
"""Work that takes longer than this is long. It is stopped then, and begun anew as long work."""

_MORE_PAUSED_FOR_LIVE = 1
"""Live work is soon done, and finds somebody to pause however much is paused for others."""

_MORE_ALONG = 1
"""Work along finds a place beside all work ahead that stands still for it."""


def note_urgency(limit: timedelta) -> Urgency:
    """Of writing a note, which may take so long."""
    return Urgency.LONG if limit > SHORT else Urgency.SHORT


class Turns:
    """Turns at `count` places. Used from one event loop. `clock`: seconds that never go back."""

    def __init__(self, count: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_short = count
        self._most_long = max(1, count - 1)
        self._most_paused = count
        self._most_ahead = count
        self._places = max(2, count)
        self._clock = clock
        self._projects: defaultdict[str, ProjectTurns] = defaultdict(ProjectTurns)
        self._next_look: asyncio.TimerHandle | None = None

    @property
    def count(self) -> int:
        """How many places there are for short work."""
        return self._most_short

    @property
    def most_begun(self) -> int:
        """How much work is under way at once at most, with what is paused."""
        return self._places + self._most_paused + _MORE_PAUSED_FOR_LIVE + self._most_ahead + _MORE_ALONG

    @property
    def is_free(self) -> bool:
        """Whether there is a place that nobody waits for."""
        now = self._clock()
        return not any(self._waiting(now)) and self._has_place(UnderWay(self._projects.values(), now), is_long=False)

    @asynccontextmanager
    async def turn(self, project: str, urgency: Urgency = Urgency.SHORT) -> AsyncIterator[Turn]:
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

    def hand_over(self, ahead: Sequence[Turn], to: Turn) -> None:
        """A stage waits for this work ahead, all of which has begun: the first is done in the stage's turn from now on,
        and that of the first ends; the others are short work."""
        for turn in ahead:
            turn.is_waited_for = True
        to.take_over(ahead[0])
        for its in [each for each in self._projects.values() if ahead[0] in each.begun]:
            its.end(ahead[0], self._clock())
        self.look()

    def _leave(self, its: ProjectTurns, turn: Turn) -> None:
        if turn.has_ended:
            return
        now = self._clock()
        its.end(turn, now)
        for name in [name for name, each in self._projects.items() if each.is_forgotten(now)]:
            del self._projects[name]
        self.look()

    def _hand_out_one(self, now: float) -> bool:
        waiting = list(self._waiting(now))
        if not waiting:
            return False
        under_way = UnderWay(self._projects.values(), now)
        for rank in sorted(waiting, key=lambda rank: (_is_last(rank.turn, under_way), rank.key)):
            if self._may_take_a_place(rank.turn, under_way) or self._pause_for(rank, under_way):
                rank.turn.is_starved = rank.is_starved
                rank.its.start(rank.turn, now)
                return True
        return False

    def _waiting(self, now: float) -> Iterator[Rank]:
        return (Rank(its, turn, now) for its in self._projects.values() for turn in its.next_turns())

    def _may_take_a_place(self, turn: Turn, under_way: UnderWay) -> bool:
        """Who was paused for live work goes on before others begin, so that the next live work can pause somebody."""
        goes_first = turn.has_begun or turn.is_live
        is_room = self._is_room(turn, under_way) and (goes_first or under_way.paused <= self._most_paused)
        return is_room and self._has_place(under_way, is_long=turn.is_long)

    def _is_room(self, turn: Turn, under_way: UnderWay) -> bool:
        """Whether spare work may begin: no more than may be under way."""
        most = self._most_ahead + (_MORE_ALONG if turn.is_along else 0)
        return not turn.spare or turn.has_begun or under_way.spare < most

    def _has_place(self, under_way: UnderWay, *, is_long: bool, without: Turn | None = None) -> bool:
        active = [each.turn.is_long for each in under_way.heaviest_first if each.turn is not without]
        most = self._most_long if is_long else self._most_short
        return len(active) < self._places and active.count(is_long) < most

    def _pause_for(self, rank: Rank, under_way: UnderWay) -> bool:
        """Whether there is a place now, because the work that has least right to go on stands still.

        What is paused is limited by itself, so that whoever has a place is also within `most_begun`.
        """
        if _is_last(rank.turn, under_way) or not self._is_room(rank.turn, under_way):
            return False
        most = self._most_paused + (_MORE_PAUSED_FOR_LIVE if rank.turn.is_live else 0)
        is_one_of_them = rank.turn.has_begun and not rank.turn.is_spare
        is_room = under_way.paused + (not is_one_of_them) <= most
        return any(
            (is_room or other.turn.is_spare)
            and rank.may_pause(other)
            and self._has_place(under_way, is_long=rank.turn.is_long, without=other.turn)
            and other.turn.has_run_enough(under_way.now)
            and other.its.pause(other.turn, under_way.now)
            for other in under_way.heaviest_first
        )


def _is_last(turn: Turn, under_way: UnderWay) -> bool:
    """Whether it is work along while there is late work ahead that does not run."""
    return turn.is_along and under_way.is_ahead_late
