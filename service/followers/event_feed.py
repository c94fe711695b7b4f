"""All that happens, as messages for those who listen: the log is read once, whoever and however many listen.

While nobody listens, nothing is read. What a listener has missed is read from the log for it alone, a slice at a time.
Of a deleted recording, only its deletion is told.
"""

import asyncio
import logging
from bisect import bisect_right
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Any
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from domain.events import NoteOrdered, NoteOrderEvent, OpeningEvent, RecordingDeleted, RecordingOpened
from service.application.queries import ViewBehind
from service.followers.subjects import ClientIdsOf, Subjects
from service.messages.publication import message_type, to_message
from service.messages.structured import structured

KEPT = 8_192
"""So many of the latest events are kept for all listeners together, about a kilobyte each."""

SLICE = 512
READ_AT_ONCE = 2
"""So many listeners at once have read for them what they missed."""

SLICES_AT_ONCE = 8

SECONDS_BETWEEN_NEWS = 0.25
SECONDS_FOR_A_LISTENER = 0.002
"""Listeners have news at most so often: what happens in between is told together. To tell one of them something takes
about a tenth of a millisecond, so with these milliseconds for each, all of them cost a twentieth of a processor."""

logger = logging.getLogger(__name__)

Deleted = Callable[[Collection[UUID]], Awaitable[AbstractSet[UUID]]]
"""Those of the recordings that were deleted by then. Raises: LogUnavailable; DatabaseUnavailable; ViewBehind."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event happened to: a recording, a session, or a note of a recording."""

    project_id: str
    recording_id: UUID | None
    client_ids: Mapping[str, str]


class Happened:
    """An event of one project. `type`: of its message."""

    __slots__ = ("_message", "_recorded", "event_type", "position", "project_id", "recording_id", "type")

    def __init__(self, subject: Subject, recorded: RecordedEvent) -> None:
        self.project_id = subject.project_id
        self.recording_id = subject.recording_id
        self.event_type = type(recorded.event)
        self.type = message_type(recorded.event)
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
    """The latest events of one project, or of one recording: all of those after position `since`, up to
    `EventFeed.position`.

    `shared`: what listeners make of them for each other; there is nothing in it once there are other events.
    """

    def __init__(self, project_id: str, since: int) -> None:
        self.project_id = project_id
        self.since = since
        self.shared: dict[Hashable, Any] = {}
        self.listeners = 0
        self._events: deque[Happened] = deque()
        self._grown = asyncio.Event()

    def has_after(self, position: int) -> bool:
        return bool(self._events) and self._events[-1].position > position

    def after(self, position: int, limit: int) -> list[Happened]:
        """The first events after the position that are here."""
        if not self.has_after(position):
            return []
        start = bisect_right(self._events, position, key=attrgetter("position"))
        return list(islice(self._events, start, start + limit))

    def add(self, happened: Happened) -> None:
        self._events.append(happened)
        self.shared.clear()

    def forget(self, deleted: AbstractSet[UUID | None]) -> None:
        """All events of these recordings but their deletions, which some may not have been told yet."""
        self._events = deque(_told(self._events, deleted))
        self.shared.clear()

    def forget_until(self, position: int) -> None:
        """Those up to the position are in the log only."""
        while self._events and self._events[0].position <= position:
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

    def __init__(self, log: EventLog, client_ids_of: ClientIdsOf, deleted: Deleted, *, kept: int = KEPT) -> None:
        self._log = log
        self._deleted = deleted
        self._kept = kept
        self._subjects: Subjects[Subject | None] = Subjects(log, _told_by(client_ids_of), None)
        self._channels: dict[tuple[str, UUID | None], Channel] = {}
        self._grown: set[Channel] = set()
        self._added: deque[tuple[Channel, int]] = deque()
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
            await self._log.wait_for_growth(self.position)
            has_more = await self._read_some()
            while self._grown:
                self._grown.pop().tell()
            await asyncio.sleep(SECONDS_BETWEEN_NEWS if has_more else self._seconds_until_news())

    def _seconds_until_news(self) -> float:
        listeners = sum(channel.listeners for channel in self._channels.values())
        return max(SECONDS_BETWEEN_NEWS, listeners * SECONDS_FOR_A_LISTENER)

    async def _read_some(self) -> bool:
        """Whether there may be more."""
        try:
            for _ in range(SLICES_AT_ONCE):
                if not await self._read_on():
                    return False
        except ViewBehind:  # it was waited for, and the same is read again
            logger.info("listeners wait for a view that is behind")
        return True

    async def _read_on(self) -> bool:
        """One slice. Returns whether there may be more."""
        after = self.position
        events = await self._log.read(after=after, limit=SLICE)
        if not events:
            return False
        happened = await self._happened(events)
        # A recording's own events end with its deletion; those of its notes may be later.
        deleted = await self._deleted_of([one for one in happened if issubclass(one.event_type, NoteOrderEvent)])
        deleted |= {one.recording_id for one in happened if one.event_type is RecordingDeleted}
        if self.position != after:
            return True  # all have left meanwhile, and others came, for whom it begins later
        self._add(happened, deleted)
        self.position = events[-1].position
        return len(events) == SLICE

    def _add(self, happened: Sequence[Happened], deleted: AbstractSet[UUID | None]) -> None:
        if deleted:
            for each in self._channels.values():
                each.forget(deleted)
        for one in _told(happened, deleted):
            for recording_id in {None, one.recording_id}:
                if (told := self._channels.get((one.project_id, recording_id))) is not None:
                    told.add(one)
                    self._added.append((told, one.position))
                    self._grown.add(told)
        while len(self._added) > self._kept:
            channel, position = self._added.popleft()
            channel.forget_until(position)

    @contextmanager
    def of(self, project_id: str, recording_id: UUID | None = None) -> Iterator[Channel]:
        """The channel of the project, or of one recording, which is kept for as long as anybody listens to it."""
        if not self._channels:
            self.position = self._log.head
        key = project_id, recording_id
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = Channel(project_id, self.position)
        channel.listeners += 1
        self._wanted.set()
        try:
            yield channel
        finally:
            channel.listeners -= 1
            if not channel.listeners:
                del self._channels[key]
            if not self._channels:
                self._wanted.clear()
                self._added.clear()

    async def newest_position(self) -> int:
        """Of all that any process had committed before this call. Raises: LogUnavailable."""
        return await self._log.newest_head()

    async def opening(self, recording_id: UUID) -> RecordedEvent | None:
        """A recording's first event, also of a deleted one; None if there never was one. Raises: LogUnavailable."""
        return await self._log.opening(recording_id)

    async def last_position(self, recording_id: UUID) -> int:
        """Of its own last event, which is its deletion if it was deleted; 0 if there never was one.

        Raises: LogUnavailable.
        """
        return await self._log.last_position(recording_id)

    async def missed(self, project_id: str, *, after: int, limit: int = SLICE) -> tuple[Sequence[Happened], int]:
        """What happened in a project, from so many events of the log, and the position up to which that is all.

        Raises: LogUnavailable, DatabaseUnavailable, ViewBehind.
        """
        async with self._reading:
            began = asyncio.get_running_loop().time()
            events = await self._log.read(after=after, limit=limit)
            happened = [one for one in await self._happened(events) if one.project_id == project_id]
            deleted = await self._deleted_of(happened)
            # Others have as long: who catches up with a long log reads no more than half of the time.
            await asyncio.sleep(asyncio.get_running_loop().time() - began)
        return _told(happened, deleted), events[-1].position if events else after

    async def _happened(self, events: Sequence[RecordedEvent]) -> list[Happened]:
        """What happened in projects; an event of a history without a beginning is of none."""
        subjects = await self._subjects.of(events)
        return [
            Happened(subject, recorded)
            for recorded, subject in zip(events, subjects, strict=True)
            if subject is not None
        ]

    async def _deleted_of(self, happened: Collection[Happened]) -> set[UUID | None]:
        """Those of the recordings that are deleted by now."""
        asked = {one.recording_id for one in happened if one.recording_id is not None}
        return set(await self._deleted(asked)) if asked else set()


def _told(happened: Iterable[Happened], deleted: AbstractSet[UUID | None]) -> list[Happened]:
    return [one for one in happened if one.recording_id not in deleted or one.event_type is RecordingDeleted]


def _told_by(client_ids_of: ClientIdsOf) -> Callable[[UUID, OpeningEvent], Subject | None]:
    def subject_of(stream_id: UUID, opened: OpeningEvent) -> Subject:
        recording_id = stream_id if isinstance(opened, RecordingOpened) else None
        if isinstance(opened, NoteOrdered):
            recording_id = opened.recording_id
        return Subject(opened.tenant_id, recording_id, client_ids_of(stream_id, opened))

    return subject_of
