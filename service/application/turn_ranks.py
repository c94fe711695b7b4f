"""Which turn comes before which, and which work may be paused for whose."""

from collections.abc import Iterable
from datetime import timedelta

from service.application.project_turns import ProjectTurns, Turn

PATIENCE = timedelta(hours=1)

LIVE_PATIENCE = timedelta(seconds=30)

AHEAD_PATIENCE = timedelta(minutes=1)

HEAVIER = 2.0

LIGHT_SECONDS = 10.0
"""Projects that have used less than this lately take turns, but do not pause one another: each would take longer."""


class Rank:
    """How urgent a turn is, now. `used`: by its project. `is_starved`: live work that others keep waiting too long; it
    is not paused for as long again. `is_late`: work ahead that was wanted long ago."""

    def __init__(self, its: ProjectTurns, turn: Turn, now: float) -> None:
        self.its, self.turn, self.used = its, turn, its.used_by(now)
        unserved = timedelta(seconds=now - max(turn.since, its.live_served_at(now)))
        self.is_starved = (turn.is_live and unserved >= LIVE_PATIENCE) or _was_starved(turn, now)
        self.is_late = _is_late(turn, now)
        self._is_later = turn.is_long and now - turn.since < PATIENCE.total_seconds()

    @property
    def key(self) -> tuple[bool, int, bool, float, float]:
        """Of those that wait, the least is next. Who waits anew must have used clearly less than who has begun."""
        favours = self.turn.has_begun + self.turn.is_live
        return not self.is_starved, self.turn.spare, self._is_later, self.used / HEAVIER**favours, self.turn.since

    def may_pause(self, active: "Rank") -> bool:
        if self.turn.spare or active.turn.spare:
            return self.turn.spare < active.turn.spare and not (self.turn.is_along and active.is_late)
        if self.is_starved or active.is_starved:
            return self.is_starved and not active.is_starved
        if self.turn.is_live and not active.turn.is_live:
            return self.used < active.used * HEAVIER
        return self.used < active.used / HEAVIER and active.used >= LIGHT_SECONDS


def _was_starved(turn: Turn, now: float) -> bool:
    """Whether it is active because it was starved, and has not run long since."""
    since = turn.active_since
    return turn.is_starved and since is not None and now - since < LIVE_PATIENCE.total_seconds()


def _is_late(turn: Turn, now: float) -> bool:
    return turn.is_ahead and now - turn.since >= AHEAD_PATIENCE.total_seconds()


class UnderWay:
    """What is active, and how much is paused, now. Of spare work, what has begun is counted by itself: as `spare`.

    `is_ahead_late`: some work ahead was wanted long ago, and waits or is paused.
    """

    def __init__(self, projects: Iterable[ProjectTurns], now: float) -> None:
        projects = list(projects)
        begun = [(its, turn) for its in projects for turn in its.begun]
        active = (Rank(its, turn, now) for its, turn in begun if turn.active_since is not None)
        self.now = now
        self.heaviest_first = sorted(active, key=lambda rank: (rank.turn.spare, rank.used), reverse=True)
        self.spare = sum(turn.is_spare for _, turn in begun)
        self.paused = sum(turn.active_since is None and not turn.is_spare for _, turn in begun)
        self.is_ahead_late = any(_is_late(turn, now) for its in projects for turn in its.next_turns())
