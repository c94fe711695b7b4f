"""Opens what keeps to the projects' quotas, and what shows them."""

from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass

from adapters.event_log.log import EventLog
from adapters.quotas import QuotaStore
from adapters.usage import UsageStore
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
