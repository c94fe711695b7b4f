"""Bota's health check (P). It is for whoever watches the service, so it needs no key."""

from aiohttp import web

from adapters.event_log.recorder import LogUnavailable
from service.dialects.bota.answers import HealthAnswer
from service.dialects.http.deck import Deck
from service.dialects.http.json_answers import json_answer


class Health:
    """The handler, over one deck."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/health", self.health)

    async def health(self, _: web.Request) -> web.Response:
        """Is the service up, and its log with it? Nothing is billed here."""
        try:
            await self._deck.log.refresh_head()
        except LogUnavailable:
            down = HealthAnswer(status="unhealthy", database="disconnected", billing="disabled")
            return json_answer(down, status=503)
        return json_answer(HealthAnswer(status="healthy", database="connected", billing="disabled"))
