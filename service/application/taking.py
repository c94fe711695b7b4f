"""What requests take of their projects' quotas when they are let in, until the view of usage shows what came of it.

The view follows the log, a moment late. So what is used is what the view shows, and what was taken by those whose
events it does not show yet.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from adapters.quotas import Quota
from adapters.taken import Share, Taken
from adapters.usage import Usage, UsageAt


@dataclass(frozen=True, slots=True)
class Ask:
    """For `amount` of a quota; refused if `full_at` or more is used. An amount of 0 only asks whether it is."""

    quota: Quota
    amount: int
    full_at: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """`used`: when it was asked for."""

    quota: Quota
    used: int


class Takes(Protocol):
    """Decides for all requests. For one event loop."""

    async def take(self, project_id: str, asks: Sequence[Ask]) -> Refusal | None:
        """Take all of it and return None; or nothing, because of the first ask that is refused.

        Raises: DatabaseFull, DatabaseUnavailable; nothing is taken then, or when it is cancelled.
        """
        ...

    def give_back(self, project_id: str, quota: Quota, amount: int) -> None:
        """What became of it is in the log by now, if anything did."""
        ...


class UsageView(Protocol):
    """Follows the log."""

    def of(self, project_id: str) -> UsageAt: ...


class Log(Protocol):
    @property
    def head(self) -> int:
        """The position of the last event."""
        ...


class TakesHere:
    """Where the view answers at once, and this process is the only one that takes anything: in its memory."""

    def __init__(self, usage: UsageView, *, log: Log) -> None:
        self._usage = usage
        self._log = log
        self._held: dict[Share, Held] = {}

    async def take(self, project_id: str, asks: Sequence[Ask]) -> Refusal | None:
        """Waits for nothing, so no other request comes in between."""
        known = self._usage.of(project_id)
        for ask in asks:
            used = used_of(known.usage, ask.quota) + self._held_at((project_id, ask.quota), known.position)
            if used >= ask.full_at:
                return Refusal(ask.quota, used)
        for ask in asks:
            if ask.amount:
                self._held.setdefault((project_id, ask.quota), Held()).taken += ask.amount
        return None

    def _held_at(self, share: Share, position: int) -> int:
        held = self._held.get(share)
        if held is None:
            return 0
        held.forget_up_to(position)
        if not held.taken:
            del self._held[share]
        return held.taken

    def give_back(self, project_id: str, quota: Quota, amount: int) -> None:
        self._held[project_id, quota].give_back(amount, known_at=self._log.head)


class Held:
    """What is taken and not in the view. `leaving`: what is given back once the view has come to a log position."""

    def __init__(self, taken: Taken = Taken()) -> None:  # noqa: B008 - it cannot be changed
        self.taken = taken.in_hand + taken.leaving
        self.leaving = deque([(taken.known_at, taken.leaving)] if taken.leaving else [])

    def give_back(self, amount: int, *, known_at: int) -> None:
        """What came of it is in the log up to `known_at`, if anything did."""
        if self.leaving and (self.leaving[-1][0] == known_at or len(self.leaving) >= _MOST_LEAVING):
            amount += self.leaving.pop()[1]
        self.leaving.append((known_at, amount))

    def forget_up_to(self, position: int) -> None:
        while self.leaving and self.leaving[0][0] <= position:
            self.taken -= self.leaving.popleft()[1]

    def beyond(self, position: int) -> int:
        """How much a view at this position may not show yet."""
        return self.taken - sum(amount for known_at, amount in self.leaving if known_at <= position)

    def copy(self) -> "Held":
        copied = Held()
        copied.taken, copied.leaving = self.taken, self.leaving.copy()
        return copied

    def told(self) -> Taken:
        """For other processes, which may count what is leaving for longer than this one does."""
        leaving = sum(amount for _, amount in self.leaving)
        return Taken(self.taken - leaving, leaving, self.leaving[-1][0] if self.leaving else 0)


_MOST_LEAVING = 1_000
"""Further ones are given back together, so that a view that stands still costs no memory."""


COUNTED: Mapping[Quota, str] = {
    Quota.BYTES: "kept_bytes",
    Quota.OPEN_RECORDINGS: "open_recordings",
    Quota.RECORDINGS: "recordings",
    Quota.WAITING_NOTES: "waiting_notes",
    Quota.SESSIONS: "sessions",
}
"""The quotas of what is counted from the log, and what counts it."""


def used_of(usage: Usage, quota: Quota) -> int:
    """What of a quota is used, of those that are `COUNTED`."""
    used: int = getattr(usage, COUNTED[quota])
    return used
