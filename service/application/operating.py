"""How the service stands, as one project may know it: what of its recordings waits, and how far each follower is.

Positions in the log are the whole service's; everything else is the project's alone. Nothing here waits for a view that
is behind: that is one of the things to be seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from adapters.database.looking_up import in_database_thread
from adapters.event_log.log import EventLog
from adapters.positions import PositionStore
from adapters.quotas import Quota
from adapters.summaries import SummaryStore
from adapters.summary_pages import Order
from adapters.usage import UsageStore
from service.application.clock import Clock
from service.application.quotas import Quotas
from service.application.taking import COUNTED, used_of

MINUTES = 60
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Backlog:
    """A project's recordings at a stage: those that wait for their turn, and those that are worked on. Not `is_whole`:
    there are more that wait, which are not counted."""

    waiting: int
    working: int
    is_whole: bool


class Follower(Protocol):
    """Reads the log. `position`: all events up to it are done."""

    @property
    def name(self) -> str: ...

    @property
    def position(self) -> int: ...


class Stage(Protocol):
    """A follower that does a stage's work."""

    @property
    def name(self) -> str: ...

    def backlog(self, project_id: str) -> Backlog: ...


class Publisher(Protocol):
    """Publishes the log to Kafka. `is_held_up`: the last try failed."""

    position: int

    @property
    def is_held_up(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Noted:
    """A follower whose position is noted among `positions`."""

    name: str
    positions: PositionStore

    @property
    def position(self) -> int:
        return self.positions.load(self.name)


@dataclass(slots=True)
class Watched:
    """What is looked at: filled while the service is put together. `publisher`: None if this service has none."""

    followers: list[Follower] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    publisher: Publisher | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """Of a quota. `most`: None without a limit."""

    used: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Minute:
    """From `begins_at` on: how many of the project's recordings were begun, and completely uploaded; without those that
    are deleted."""

    begins_at: datetime
    begun: int
    uploaded: int


@dataclass(frozen=True, slots=True)
class FollowerAt:
    name: str
    position: int


@dataclass(frozen=True, slots=True)
class StageAt:
    name: str
    backlog: Backlog


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`recordings`: how many there are of each status that was asked for."""

    head: int
    followers: Sequence[FollowerAt]
    publisher: Publisher | None
    stages: Sequence[StageAt]
    recordings: Mapping[str, int]
    usage: Mapping[Quota, Used]
    last_hour: Sequence[Minute]


class Operating:
    """Answers operators. Raises: DatabaseUnavailable."""

    def __init__(
        self,
        watched: Watched,
        *,
        log: EventLog,
        summaries: SummaryStore,
        usage: UsageStore,
        quotas: Quotas,
        clock: Clock,
    ) -> None:
        self._watched = watched
        self._log = log
        self._summaries = summaries
        self._usage = usage
        self._quotas = quotas
        self._clock = clock

    async def of(self, project_id: str, statuses: Sequence[str]) -> Standing:
        """How things stand for the project, now."""
        watched = self._watched
        followers = [FollowerAt(each.name, each.position) for each in watched.followers]
        return Standing(
            head=max(self._log.head, *(each.position for each in followers)),
            followers=followers,
            publisher=watched.publisher,
            stages=[StageAt(stage.name, stage.backlog(project_id)) for stage in watched.stages],
            recordings=await in_database_thread(self._summaries.counts, project_id, statuses),
            usage=await self._used(project_id),
            last_hour=await self._last_hour(project_id),
        )

    async def _used(self, project_id: str) -> Mapping[Quota, Used]:
        usage = (await in_database_thread(self._usage.of, project_id)).usage
        return {quota: Used(used_of(usage, quota), await self._quotas.most(project_id, quota)) for quota in COUNTED}

    async def _last_hour(self, project_id: str) -> Sequence[Minute]:
        """Minute by minute, the oldest first; the last one is not over."""
        first = self._clock().replace(second=0, microsecond=0) - (MINUTES - 1) * _MINUTE
        begun, uploaded = [
            await in_database_thread(self._summaries.per_minute, project_id, order, since=first)
            for order in (Order.CREATED, Order.FINALIZED)
        ]
        minutes = [first + number * _MINUTE for number in range(MINUTES)]
        return [Minute(minute, begun.get(minute, 0), uploaded.get(minute, 0)) for minute in minutes]
