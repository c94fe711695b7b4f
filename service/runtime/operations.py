"""For those who run the service: is it alive, can it store, what are its numbers."""

import logging

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from adapters.blobs.port import StorageFull, StorageUnavailable
from adapters.event_log.port import LogUnavailable
from service.dialects.bota.answers import HealthAnswer
from service.dialects.http.json_answers import json_answer
from service.runtime.deck import Deck

logger = logging.getLogger(__name__)


class Operations:
    """The handlers, over one deck."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/health", self.health)
        router.add_get("/healthz", self.alive)
        router.add_get("/readyz", self.ready)
        router.add_get("/metrics", self.metrics)

    async def alive(self, _: web.Request) -> web.Response:
        return json_answer({"status": "alive"})

    async def health(self, _: web.Request) -> web.Response:
        """What Bota's clients ask (P): is the service up, and its log with it. Nothing is billed here."""
        try:
            await self._deck.log.refresh_head()
        except LogUnavailable:
            down = HealthAnswer(status="unhealthy", database="disconnected", billing="disabled")
            return json_answer(down, status=503)
        return json_answer(HealthAnswer(status="healthy", database="connected", billing="disabled"))

    async def ready(self, _: web.Request) -> web.Response:
        """200 only when a chunk could be stored now, which is tried."""
        try:
            await self._deck.blobs.check_writable()
            await self._deck.log.refresh_head()
        except (StorageFull, StorageUnavailable, LogUnavailable) as error:
            logger.warning("not ready", extra={"because": str(error)})
            return json_answer({"status": "not ready", "reason": str(error)}, status=503)
        return json_answer({"status": "ready"})

    async def metrics(self, _: web.Request) -> web.Response:
        metrics = self._deck.metrics
        metrics.log_position.set(self._deck.log.head)
        metrics.follower_position.labels(self._deck.projector.name).set(self._deck.projector.position)
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
