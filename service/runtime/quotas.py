"""Opens what keeps to the projects' quotas, and what shows them."""

from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass

from adapters.event_log.log import EventLog
from adapters.quotas import Most, Quota, QuotaStore
from adapters.sqlite_file import DatabaseUnavailable
from adapters.usage import Usage, UsageAt, UsageStore
from service.application.metrics import Metrics
from service.application.project_metrics import ProjectMetrics
from service.application.quotas import Quotas
from service.followers.projector import Projector
from service.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class OpenQuotas:
    """`view` is a follower, to be run."""

    quotas: Quotas
    view: Projector
    own: QuotaStore


def open_quotas(
    opened: AsyncExitStack | ExitStack, settings: Settings, log: EventLog, *, metrics: Metrics
) -> OpenQuotas:
    """Closed with `opened`. Raises: DatabaseTooNew; sqlite3.Error; OSError."""
    usage = UsageStore(settings.usage_path)
    opened.callback(usage.close)
    usage.use_for(log.identity, log.head)
    own = QuotaStore(settings.quotas_path)
    opened.callback(own.close)
    quotas = Quotas(settings.quotas, own, usage, log=log)
    metrics.registry.register(ProjectMetrics(usage, quotas))
    return OpenQuotas(quotas, Projector("usage", log, usage), own)


def open_counted(opened: AsyncExitStack, settings: Settings) -> Callable[[str], bool]:
    """Whether a project may have only so many bytes, or it cannot be known. Raises: as `open_quotas`."""
    own = QuotaStore(settings.quotas_path)
    opened.callback(own.close)

    def is_counted(project_id: str) -> bool:
        try:
            its_own = own.of(project_id)
        except DatabaseUnavailable:
            return True
        return its_own.get(Quota.BYTES, settings.quotas.get(Quota.BYTES)) is not None

    return is_counted


class _NoQuotas:
    def of(self, _: str) -> Most:
        return {}


class _NoUsage:
    def of(self, _: str) -> UsageAt:
        return UsageAt(Usage(), 0)


def no_quotas(log: EventLog) -> Quotas:
    """For projects that may have any number of bytes."""
    return Quotas({}, _NoQuotas(), _NoUsage(), log=log)
