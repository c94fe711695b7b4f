"""Opens what keeps to the projects' quotas, and what shows them."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from adapters.event_log.log import EventLog
from adapters.quotas import Most, Quota, QuotaStore
from adapters.sqlite_file import DatabaseUnavailable
from adapters.taken import TakenStore
from adapters.usage import Usage, UsageAt, UsageStore
from service.application.metrics import Metrics
from service.application.own_quotas import OwnQuotas
from service.application.project_metrics import ProjectMetrics
from service.application.quotas import Quotas
from service.application.taking import Takes, TakesHere
from service.application.taking_together import TakesTogether
from service.followers.projector import Projector
from service.runtime.places import quotas_place, taken_place, usage_place
from service.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class OpenQuotas:
    """`view` is a follower, to be run. It keeps `usage`."""

    quotas: Quotas
    usage: UsageStore
    view: Projector
    shown: ProjectMetrics


def open_quotas(
    opened: AsyncExitStack, settings: Settings, log: EventLog, *, metrics: Metrics, holder: str | None = None
) -> OpenQuotas:
    """Closed with `opened`. `holder`: the process's name, if others take from the same quotas; then the log must be in
    PostgreSQL.

    Raises: DatabaseTooNew; DatabaseUnavailable; sqlite3.Error; OSError."""
    usage = UsageStore(usage_place(settings), begins_anew=True)
    opened.callback(usage.close)
    usage.use_for(log.identity, log.newest_now)
    own = QuotaStore(quotas_place(settings))
    opened.callback(own.close)
    quotas = Quotas(settings.quotas, OwnQuotas(own), _open_takes(opened, settings, log, usage, holder))
    shown = ProjectMetrics(usage, own, quotas)
    metrics.registry.register(shown)
    return OpenQuotas(quotas, usage, Projector("usage", log, usage), shown)


def _open_takes(
    opened: AsyncExitStack, settings: Settings, log: EventLog, usage: UsageStore, holder: str | None
) -> Takes:
    if usage.answers_at_once:
        return TakesHere(usage, log=log)
    store = None
    if holder is not None:
        store = TakenStore(taken_place(settings), holder=holder)
        opened.callback(store.close)
        store.use_for(log.identity)
    takes = TakesTogether(store, usage, log=log)
    opened.push_async_callback(takes.close)
    return takes


def open_counted(opened: AsyncExitStack, settings: Settings) -> Callable[[str], Awaitable[bool]]:
    """Whether a project may have only so many bytes, or it cannot be known. Raises: as `open_quotas`."""
    store = QuotaStore(quotas_place(settings))
    opened.callback(store.close)
    own = OwnQuotas(store)

    async def is_counted(project_id: str) -> bool:
        try:
            its_own = await own.of(project_id)
        except DatabaseUnavailable:
            return True
        return its_own.get(Quota.BYTES, settings.quotas.get(Quota.BYTES)) is not None

    return is_counted


class _NoQuotas:
    async def of(self, _: str) -> Most:
        return {}


class _NoUsage:
    def of(self, _: str) -> UsageAt:
        return UsageAt(Usage(), 0)


def no_quotas(log: EventLog) -> Quotas:
    """For projects that may have any number of bytes."""
    return Quotas({}, _NoQuotas(), TakesHere(_NoUsage(), log=log))
