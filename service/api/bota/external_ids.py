"""`GET /v1/recordings?correlation_id=…&recording_id=…` (D): recordings by the ids that Dragon's clients name them by.

Dragon's clients cannot poll; those who run the service can. An id follows from the names, so nothing is searched.
"""

from typing import Any
from uuid import UUID

from aiohttp import web

from adapters.keys import Key
from domain.errors import RecordingNotFound
from service.api.bota import access
from service.api.bota.objects import recording_object
from service.api.bota.reading import Reading
from service.api.bota.requests import InvalidRequest
from service.api.dragon.names import LARGEST_INT32, recording_named
from service.api.json_answers import json_answer
from service.deck import Deck

RECORDINGS_LOOKED_FOR = 100
"""Without a recording_id, a session's recordings 1 to this are looked for: clients number them from 1."""


class ExternalIds:
    """The handler, over one deck."""

    def __init__(self, deck: Deck, reading: Reading) -> None:
        self._deck = deck
        self._reading = reading

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/recordings", self.search)

    async def search(self, request: web.Request) -> web.Response:
        key = access.permitted(request, self._deck, access.RECORDINGS_READ)
        correlation_id = request.query.get("correlation_id")
        if not correlation_id:
            raise InvalidRequest("correlation_id", "This field is required.")
        numbers = _recording_numbers(request.query.get("recording_id"))
        found = [await self._object(key, recording_named(key.project_id, correlation_id, number)) for number in numbers]
        data = [each for each in found if each is not None]
        return json_answer({"data": data, "has_more": False, "next_cursor": None})

    async def _object(self, key: Key, its_id: UUID) -> dict[str, Any] | None:
        try:
            return recording_object(its_id, await self._reading.summary(key, its_id), None)
        except RecordingNotFound:
            return None


def _recording_numbers(given: str | None) -> range:
    if given is None:
        return range(1, RECORDINGS_LOOKED_FOR + 1)
    number = int(given) if given.isascii() and given.isdigit() and len(given) <= len(str(LARGEST_INT32)) else 0
    if not 1 <= number <= LARGEST_INT32:
        raise InvalidRequest("recording_id", f"It must be a number from 1 to {LARGEST_INT32}.")
    return range(number, number + 1)
