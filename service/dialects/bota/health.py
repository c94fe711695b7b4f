"""Bota's health check (P). It is for monitoring, so it needs no key."""

from aiohttp import web

from adapters.event_log.port import LogUnavailable
from service.application.queries import Queries
from service.dialects.bota.answers import HealthAnswer
from service.dialects.http.json_answers import json_answer


class Health:
    """The handler."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/health", self.health)

    async def health(self, _: web.Request) -> web.Response:
        """Is the service up, and its log with it? This service bills nothing."""
        try:
            await self._queries.check_log()
        except LogUnavailable:
            down = HealthAnswer(status="unhealthy", database="disconnected", billing="disabled")
            return json_answer(down, status=503)
        return json_answer(HealthAnswer(status="healthy", database="connected", billing="disabled"))
