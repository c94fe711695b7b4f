"""For the operators of the service: is it alive, can it store, what are its metrics."""

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from adapters.event_log.log import EventLog
from service.application.metrics import Metrics
from service.dialects.http.json_answers import json_answer
from service.runtime.assembly import RunningService
from service.runtime.counts import Together
from service.runtime.readiness import Readiness, ServiceParts

READY_PATH = "/readyz"


async def readiness_answer(readiness: Readiness) -> web.Response:
    """Which part is missing; 503 if nothing can be stored without it."""
    findings = await readiness.findings()
    reasons = [finding.problem for finding in findings if finding.prevents_storing]
    shown = {"parts": {finding.part.name: finding.shown for finding in findings}}
    if reasons:
        return json_answer({"status": "not ready", "reason": reasons[0]} | shown, status=503)
    return json_answer({"status": "ready"} | shown)


class ProcessOperations:
    """The handlers, for any process that works on recordings."""

    def __init__(self, metrics: Metrics, readiness: Readiness, log: EventLog) -> None:
        self._metrics = metrics
        self._readiness = readiness
        self._log = log

    def add_alive(self, router: web.UrlDispatcher) -> None:
        """What a load balancer asks, and may ask of every listener: it costs nothing and tells nothing."""
        router.add_get("/healthz", self.alive)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """All of them."""
        self.add_alive(router)
        router.add_get(READY_PATH, self.ready)
        router.add_get("/metrics", self.metrics)

    async def alive(self, _: web.Request) -> web.Response:
        return json_answer({"status": "alive"})

    async def ready(self, _: web.Request) -> web.Response:
        """200 only if a chunk could be stored now, which is tried."""
        return await readiness_answer(self._readiness)

    async def metrics(self, _: web.Request) -> web.Response:
        for finding in await self._readiness.findings():
            self._metrics.part_ready.labels(finding.part.name).set(finding.problem is None)
        self._metrics.log_position.set(self._log.head)
        return web.Response(body=generate_latest(await self._counts()), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _counts(self) -> CollectorRegistry | Together:
        return self._metrics.registry


class Operations(ProcessOperations):
    """Those of the service."""

    def __init__(self, service: RunningService) -> None:
        super().__init__(service.metrics, Readiness(ServiceParts(service)), service.stores.log)
        self._service = service

    async def _counts(self) -> CollectorRegistry | Together:
        service, metrics = self._service, self._metrics
        metrics.held_bytes.set(service.parts.limits.held.held_bytes)
        views = (service.projector, service.note_order_view, service.session_view)
        for view in (*views, service.search_follower, service.usage_view):
            metrics.follower_position.labels(view.name).set(view.position)
        await service.project_metrics.look()
        return Together(metrics.registry, await service.other_processes.counts())
