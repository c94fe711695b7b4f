"""GET /v1/recordings/{id}/live (D): what is said in a recording, and how far it has come, as it happens."""

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from adapters.sqlite_file import DatabaseUnavailable
from service.application.callers import Callers
from service.dialects.bota import access
from service.dialects.bota.errors import Forbidden, Unauthorized
from service.dialects.bota.identifiers import recording_id_of
from service.dialects.bota.live.feeds import Feeds
from service.dialects.bota.live.listener import Listener
from service.dialects.bota.live.places import PLACE, Place
from service.dialects.bota.requests import InvalidRequest, query_of
from service.dialects.bota.view import View
from service.dialects.http.event_streams import LAST_EVENT_ID, EventStreams


class LiveRequest(BaseModel):
    """The query. `last_event_id`: for clients that cannot send the header."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    last_event_id: Annotated[str | None, Field(pattern=PLACE, description="As the header Last-Event-ID.")] = None
    follow: Annotated[bool, Field(description="false: end with what there is now.")] = True


class Live:
    """The handler."""

    def __init__(self, feeds: Feeds, streams: EventStreams, view: View, callers: Callers) -> None:
        self._feeds = feeds
        self._streams = streams
        self._view = view
        self._callers = callers

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/recordings/{recording_id}/live", self.live)

    async def live(self, request: web.Request) -> web.StreamResponse:
        """A stream of events; 204 if the client was told the end, which also ends the tries of an EventSource."""
        key = await access.permitted(request, self._callers, access.READ_TRANSCRIPTIONS)
        asked = query_of(LiveRequest, request.query)
        place = _place(request.headers.get(LAST_EVENT_ID) or asked.last_event_id)
        recording_id = recording_id_of(request.match_info["recording_id"])
        await self._view.summary(key, recording_id)

        async def is_permitted() -> bool:
            try:
                await access.permitted(request, self._callers, access.READ_TRANSCRIPTIONS)
            except (Unauthorized, Forbidden, DatabaseUnavailable):
                return False
            return True

        with self._feeds.of(recording_id, follows=asked.follow) as feed:
            listener = Listener(feed, place, follows=asked.follow)
            if place is not None and place.end is not None and await listener.has_all():
                return web.Response(status=204)
            return await self._streams.answer(request, listener, caller=key.project_id, is_permitted=is_permitted)


def _place(event_id: str | None) -> Place | None:
    """Raises: InvalidRequest."""
    if event_id is None:
        return None
    place = Place.parse(event_id)
    if place is None:
        raise InvalidRequest(LAST_EVENT_ID, "This must be the id of an event of this stream, exactly as given.")
    return place
