"""Opens what keeps to the projects' quotas, and what shows them."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from adapters.event_log.log import EventLog
from adapters.quotas import QuotaStore
from adapters.taken import TakenStore
from adapters.usage import UsageStore
from service.application.metrics import Metrics
from service.application.own_quotas import OwnQuotas
from service.application.project_metrics import ProjectMetrics
from service.application.quotas import Quotas
from service.application.taking import Takes, TakesHere
from service.application.taking_together import TakesTogether
from service.followers.projector import Projector
from service.runtime.places import quotas_place, taken_place, usage_place
from service.runtime.settings import Settings

PROCESS = "service"
"""What takes from quotas is called so: the one process of a service."""


@dataclass(frozen=True, slots=True)
class OpenQuotas:
    """`view` is a follower, to be run."""

    quotas: Quotas
    view: Projector
    shown: ProjectMetrics


def open_quotas(opened: AsyncExitStack, settings: Settings, log: EventLog, *, metrics: Metrics) -> OpenQuotas:
    """Closed with `opened`. Raises: DatabaseTooNew; DatabaseUnavailable; sqlite3.Error; OSError."""
    usage = UsageStore(usage_place(settings))
    opened.callback(usage.close)
    usage.use_for(log.identity, log.head)
    own = QuotaStore(quotas_place(settings))
    opened.callback(own.close)
    quotas = Quotas(settings.quotas, OwnQuotas(own), _open_takes(opened, settings, log, usage))
    shown = ProjectMetrics(usage, own, quotas)
    metrics.registry.register(shown)
    return OpenQuotas(quotas, Projector("usage", log, usage), shown)


def _open_takes(opened: AsyncExitStack, settings: Settings, log: EventLog, usage: UsageStore) -> Takes:
    place = taken_place(settings)
    if place is None:
        return TakesHere(usage, log=log)
    store = TakenStore(place, holder=PROCESS)
    opened.callback(store.close)
    store.use_for(log.identity)
    takes = TakesTogether(store, usage, log=log)
    opened.push_async_callback(takes.close)
    return takes
