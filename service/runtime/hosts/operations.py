"""What operators ask a host that does not lead."""

from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry

from adapters.blobs.port import BlobStore
from adapters.event_log.log import EventLog
from service.application.metrics import Metrics
from service.runtime.counts import Together
from service.runtime.draining import Drain
from service.runtime.operations import ProcessOperations
from service.runtime.processes.parent import ApiProcesses
from service.runtime.readiness import Part, ProcessParts, Readiness, problem_of_processes
from service.runtime.settings import ServiceSettings
from service.runtime.web import application_for_operators


class HostParts(ProcessParts):
    """What a host needs that stands by."""

    def __init__(
        self, settings: ServiceSettings, drain: Drain, log: EventLog, blobs: BlobStore, processes: ApiProcesses
    ) -> None:
        super().__init__(settings, drain, log, blobs)
        self._processes = processes

    def __iter__(self) -> Iterator[Part]:
        yield from super().__iter__()
        yield Part("api_processes", True, self._api_processes)
        yield Part("leader", True, self._leader)

    async def _api_processes(self) -> str | None:
        return problem_of_processes(self._processes.serving())

    async def _leader(self) -> str | None:
        return None if self._processes.have_a_leader else "No host leads at the moment; one is about to."


class HostOperations(ProcessOperations):
    """Counts what the host's API processes do, too."""

    def __init__(self, metrics: Metrics, parts: HostParts, log: EventLog, processes: ApiProcesses) -> None:
        super().__init__(metrics, Readiness(parts), log)
        self._own = metrics
        self._processes = processes

    async def _counts(self) -> CollectorRegistry | Together:
        return Together(self._own.registry, await self._processes.counts())


def standby_application(
    settings: ServiceSettings, drain: Drain, log: EventLog, blobs: BlobStore, processes: ApiProcesses
) -> web.Application:
    """For a listener that clients cannot reach."""
    metrics = Metrics()
    parts = HostParts(settings, drain, log, blobs, processes)
    return application_for_operators(metrics, HostOperations(metrics, parts, log, processes), drain=drain)
