"""All that happens, as messages for those who listen: the log is read once, whoever and however many listen.

While nobody listens, nothing is read. What a listener has missed is read from the log for it alone, a slice at a time.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from domain.events import NoteOrdered, OpeningEvent, RecordingOpened
from service.followers.subjects import ClientIdsOf, Subjects
from service.messages.publication import message_type, to_message
from service.messages.structured import structured

KEPT = 4_096
"""So many of a project's latest events are kept for its listeners, about a kilobyte each."""

SLICE = 512
READ_AT_ONCE = 2
"""So many listeners at once have read for them what they missed."""

SECONDS_BETWEEN_NEWS = 0.25
"""Listeners have news at most so often: what happens in between is told together."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event happened to: a recording, a session, or a note of a recording."""

    project_id: str
    recording_id: UUID | None
    client_ids: Mapping[str, str]


class Happened:
    """An event of one project. `type`: of its message."""

    __slots__ = ("_message", "_recorded", "position", "project_id", "recording_id", "type")

    def __init__(self, subject: Subject, its_type: str, recorded: RecordedEvent) -> None:
        self.project_id = subject.project_id
        self.recording_id = subject.recording_id
        self.type = its_type
        self.position = recorded.position
        self._recorded: tuple[RecordedEvent, Mapping[str, str]] | None = recorded, subject.client_ids
        self._message = b""

    @property
    def message(self) -> bytes:
        """A CloudEvent in JSON. It is made when it is first asked for, once for all who listen."""
        if self._recorded is not None:
            self._message = structured(to_message(*self._recorded))
            self._recorded = None
        return self._message


class Channel:
    """The latest events of one project: all of those after position `since`, up to `EventFeed.position`."""

    def __init__(self, project_id: str, since: int, kept: int) -> None:
        self.project_id = project_id
        self.since = since
        self.listeners = 0
        self._kept = kept
        self._events: deque[Happened] = deque()
        self._grown = asyncio.Event()

    def after(self, position: int) -> list[Happened]:
        """All events that are here after the position."""
        newest_first = list(takewhile(lambda happened: happened.position > position, reversed(self._events)))
        return newest_first[::-1]

    def add(self, happened: Happened) -> None:
        self._events.append(happened)
        if len(self._events) > self._kept:
            self.since = self._events.popleft().position

    def tell(self) -> None:
        """Wake all who wait for news."""
        self._grown.set()
        self._grown = asyncio.Event()

    async def news(self) -> None:
        """Return after the next news."""
        await self._grown.wait()


class EventFeed:
    """One follower of the log, for all listeners of a process. Used from one event loop.

    `position`: up to which all channels have all.
    """

    name = "event-feed"

    def __init__(self, log: EventLog, client_ids_of: ClientIdsOf, *, kept: int = KEPT) -> None:
        self._log = log
        self._kept = kept
        self._subjects: Subjects[Subject | None] = Subjects(log, _told_by(client_ids_of), None)
        self._channels: dict[str, Channel] = {}
        self._wanted = asyncio.Event()
        self._reading = asyncio.Semaphore(READ_AT_ONCE)
        self.position = 0

    @property
    def log_identity(self) -> str:
        return self._log.identity

    async def run(self) -> None:
        """Follow the log for as long as anybody listens, until cancelled."""
        while True:
            await self._wanted.wait()
            await self._read_on()

    async def _read_on(self) -> None:
        """One turn: what has happened since the last one, or else wait until something has."""
        after = self.position
        events = await self._log.read(after=after, limit=SLICE)
        if not events:
            await self._log.wait_for_growth(after)
            return
        happened = await self._happened(events)
        if self.position != after:
            return  # all have left meanwhile, and others came, for whom it begins later
        grown = set()
        for one in happened:
            if (channel := self._channels.get(one.project_id)) is not None:
                channel.add(one)
                grown.add(channel)
        self.position = events[-1].position
        for channel in grown:
            channel.tell()
        if len(events) < SLICE:
            await asyncio.sleep(SECONDS_BETWEEN_NEWS)

    @contextmanager
    def of(self, project_id: str) -> Iterator[Channel]:
        """The project's channel, which is kept for as long as anybody listens to it."""
        if not self._channels:
            self.position = self._log.head
        channel = self._channels.get(project_id)
        if channel is None:
            channel = self._channels[project_id] = Channel(project_id, self.position, self._kept)
        channel.listeners += 1
        self._wanted.set()
        try:
            yield channel
        finally:
            channel.listeners -= 1
            if not channel.listeners:
                del self._channels[project_id]
            if not self._channels:
                self._wanted.clear()

    async def newest_position(self) -> int:
        """Of all that any process had committed before this call. Raises: LogUnavailable."""
        return await self._log.newest_head()

    async def missed(self, channel: Channel, *, after: int) -> tuple[Sequence[Happened], int]:
        """A slice of what the channel does not have any more, and the position up to which that is all.

        Raises: LogUnavailable.
        """
        async with self._reading:
            events = await self._log.read(after=after, limit=SLICE)
            happened = [one for one in await self._happened(events) if one.project_id == channel.project_id]
        return happened, events[-1].position if events else after

    async def _happened(self, events: Sequence[RecordedEvent]) -> list[Happened]:
        """What happened in projects; an event of a history without a beginning is of none."""
        subjects = await self._subjects.of(events)
        return [
            Happened(subject, message_type(recorded.event), recorded)
            for recorded, subject in zip(events, subjects, strict=True)
            if subject is not None
        ]


def _told_by(client_ids_of: ClientIdsOf) -> Callable[[UUID, OpeningEvent], Subject | None]:
    def subject_of(stream_id: UUID, opened: OpeningEvent) -> Subject:
        recording_id = stream_id if isinstance(opened, RecordingOpened) else None
        if isinstance(opened, NoteOrdered):
            recording_id = opened.recording_id
        return Subject(opened.tenant_id, recording_id, client_ids_of(stream_id, opened))

    return subject_of
