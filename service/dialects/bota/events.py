"""GET /v1/events (D): all that happens in a project, as it happens. The messages are those that Kafka has."""

import hashlib
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from adapters.event_log.port import LogUnavailable
from adapters.keys import Key
from adapters.sqlite_file import DatabaseUnavailable
from domain.errors import RecordingNotFound
from domain.events import RecordingOpened
from service.application.callers import Callers
from service.application.queries import ViewBehind
from service.dialects.bota import access
from service.dialects.bota.errors import Forbidden, Unauthorized
from service.dialects.bota.identifiers import recording_id_of
from service.dialects.bota.requests import InvalidRequest, RecordingId, query_of
from service.dialects.bota.view import View
from service.dialects.http.event_streams import LAST_EVENT_ID, EventStreams
from service.dialects.http.sent_events import EncodedEvents, ServerSentEvent
from service.followers.event_feed import Channel, EventFeed, Happened
from service.messages.publication import MESSAGE_TYPES, NOTE_ORDER_TYPES

PLACE = r"^[0-9]{1,15}-[0-9a-f]{8}$"
_PLACE = re.compile(PLACE, re.ASCII)
_MARK_DIGITS = 8

AT_ONCE = 512
AT_ONCE_BYTES = 512 * 1024
"""A listener is told so many events at once, up to about this size."""

MISSED_AT_ONCE = 128
MISSED_AT_ONCE_BYTES = 128 * 1024
"""The same of what a listener has missed, which is read from the log and kept in memory for it alone."""

SHARED = 16
"""So many of what is told at once are kept for other listeners that want the same, until something else happens."""

logger = logging.getLogger(__name__)


class EventsRequest(BaseModel):
    """The query. `types`: the messages' types, with commas between them. `last_event_id`: for clients that cannot send
    the header, and it prevails over `since`."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    types: Annotated[str, Field(pattern=r"^[a-z0-9_.]{1,80}(,[a-z0-9_.]{1,80}){0,49}$")] | None = None
    recording_id: RecordingId | None = None
    since: Annotated[
        Literal["now", "beginning"], Field(description="Where to begin without a place to go on from.")
    ] = "now"
    last_event_id: Annotated[str | None, Field(pattern=PLACE, description="As the header Last-Event-ID.")] = None
    follow: Annotated[bool, Field(description="false: end with what there is now.")] = True


class Events:
    """The handler."""

    def __init__(self, feed: EventFeed, streams: EventStreams, view: View, callers: Callers) -> None:
        self._feed = feed
        self._streams = streams
        self._view = view
        self._callers = callers

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/events", self.events)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """A stream of events without end."""
        key = await access.permitted(request, self._callers, access.READ_RECORDINGS)
        asked = query_of(EventsRequest, request.query)
        types, recording_id, beginning = _types(key, asked.types), None, 0
        newest = await self._feed.newest_position()  # before it is looked what there is, so that nothing is in between
        place = self._place(request.headers.get(LAST_EVENT_ID) or asked.last_event_id, newest)
        if asked.recording_id is not None:
            recording_id = recording_id_of(asked.recording_id)
            beginning = await self._before(key, recording_id, place)

        async def is_permitted() -> bool:
            try:
                await access.permitted(request, self._callers, access.READ_RECORDINGS)
            except (Unauthorized, Forbidden, DatabaseUnavailable):
                return False
            return True

        with self._feed.of(key.project_id, recording_id) as channel:
            begins = beginning if asked.since == "beginning" else newest
            if place is not None:
                begins = max(beginning, place)
            listener = Listener(
                self._feed, channel, Wanted(types, recording_id), begins, newest=newest, follows=asked.follow
            )
            return await self._streams.answer(request, listener, caller=key.project_id, is_permitted=is_permitted)

    async def _before(self, key: Key, recording_id: UUID, place: int | None) -> int:
        """The position before a recording's first event. Who comes back to a `place` is told that it was deleted after
        that.

        Raises: RecordingNotFound; ViewBehind, LogUnavailable.
        """
        try:
            await self._view.summary(key, recording_id)
        except RecordingNotFound:
            if place is None or place >= await self._feed.last_position(recording_id):
                raise
        begun = await self._feed.opening(recording_id)
        if begun is None or not isinstance(begun.event, RecordingOpened):
            raise RecordingNotFound
        opened = begun.event
        access.check_owner(key, recording_id, tenant_id=opened.tenant_id, device_id=opened.device_id)
        return begun.position - 1

    def _place(self, place: str | None, newest: int) -> int | None:
        """The position of an id that a listener has read. Raises: InvalidRequest."""
        if place is None:
            return None
        if not _PLACE.fullmatch(place):
            raise InvalidRequest(LAST_EVENT_ID, "This must be the id of an event of this stream, exactly as given.")
        position, mark = place.split("-")
        if mark != _mark(self._feed) or int(position) > newest:
            raise InvalidRequest(
                LAST_EVENT_ID, "There is no such event: the id comes from another service or another state of its data."
            )
        return int(position)


def _types(key: Key, asked: str | None) -> frozenset[str]:
    """The types to tell: those that are asked for, or all that the key may hear.

    Raises: InvalidRequest for one that no message has; Forbidden for one that needs another scope.
    """
    may_hear = MESSAGE_TYPES if access.READ_SUMMARIES.includes(key) else MESSAGE_TYPES - NOTE_ORDER_TYPES
    if asked is None:
        return may_hear
    types = frozenset(asked.split(","))
    if unknown := types - MESSAGE_TYPES:
        raise InvalidRequest("types", f"No event has the type {min(unknown)}.")
    if types - may_hear:
        raise Forbidden(access.READ_SUMMARIES.scope or "")
    return types


def _mark(feed: EventFeed) -> str:
    """Tells the log from others: a position means nothing in another one."""
    return hashlib.sha256(feed.log_identity.encode()).hexdigest()[:_MARK_DIGITS]


@dataclass(frozen=True, slots=True)
class Wanted:
    """`recording_id`: None for any, and for what happens to none."""

    types: frozenset[str]
    recording_id: UUID | None

    def of(self, happened: Iterable[Happened]) -> list[Happened]:
        types, recording_id = self.types, self.recording_id
        return [
            one for one in happened if one.type in types and (recording_id is None or one.recording_id == recording_id)
        ]


class Listener:
    """Tells what is wanted after a position: what was missed from the log, and what follows from the channel.

    `newest`: the position of all that happened before the listener came. `follows`: whether to go on after that.
    """

    def __init__(
        self, feed: EventFeed, channel: Channel, wanted: Wanted, position: int, *, newest: int, follows: bool
    ) -> None:
        self._feed = feed
        self._channel = channel
        self._wanted = wanted
        self._position = position
        self._newest = newest
        self._follows = follows
        self._mark = _mark(feed)

    @property
    def place(self) -> str:
        """See `Source.place`."""
        self._pass_over_what_happened_elsewhere()
        return self._place(self._position)

    async def next(self) -> Sequence[EncodedEvents]:
        """See `Source.next`."""
        while self._follows or self._position < self._newest:
            try:
                if (told := await self._next()).data:
                    return [told]
            except ViewBehind:
                continue  # it was waited for, and may be soon
            except (LogUnavailable, DatabaseUnavailable) as error:
                logger.warning("listeners are told to come back", extra={"because": str(error)})
                break
        return ()

    async def _next(self) -> EncodedEvents:
        if self._misses_some:
            happened, position = await self._feed.missed(
                self._channel.project_id, after=self._position, limit=MISSED_AT_ONCE
            )
            told, self._position = self._encoded(happened, position, MISSED_AT_ONCE_BYTES)
            return told
        told, self._position = self._of_the_channel()
        if not told.data and not self._channel.has_after(self._position):
            self._pass_over_what_happened_elsewhere()
            await self._channel.news()
        return told

    def _of_the_channel(self) -> tuple[EncodedEvents, int]:
        """What is told next, and the position up to which that is all."""
        shared, place = self._channel.shared, (self._wanted, self._position)
        if place in shared:
            made: tuple[EncodedEvents, int] = shared[place]
            return made
        happened = self._channel.after(self._position, AT_ONCE)
        made = self._encoded(happened, happened[-1].position if happened else self._position, AT_ONCE_BYTES)
        if len(shared) < SHARED:
            shared[place] = made
        return made

    def _encoded(self, happened: Iterable[Happened], position: int, most_bytes: int) -> tuple[EncodedEvents, int]:
        """What is wanted of it, as much as is told at once, and the position up to which that is all."""
        told, before = bytearray(), position
        for one in self._wanted.of(happened):
            if len(told) >= most_bytes:
                return EncodedEvents(bytes(told)), before
            told += ServerSentEvent(None, one.message, self._place(one.position)).encoded()
            before = one.position
        return EncodedEvents(bytes(told)), position

    @property
    def _misses_some(self) -> bool:
        """Whether the channel does not have all that is to be told."""
        return self._position < max(self._channel.since, self._newest) or not self._follows

    def _pass_over_what_happened_elsewhere(self) -> None:
        """What happened in other projects, if there is nothing else to tell now."""
        if not self._misses_some and not self._channel.has_after(self._position):
            self._position = max(self._position, self._feed.position)

    def _place(self, position: int) -> str:
        return f"{position}-{self._mark}"
