"""Creates webhook deliveries for events: once for each, in the transaction that moves the follower's position.

Most events, such as those of chunks, are told to nobody. What is read without a message moves the position on disk only
now and then: after a crash it is read again, and again there is no message in it. An endpoint that was made meanwhile
wants none of these events, since they come before the position of the log at which it was made.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.one_thread import OneThread
from adapters.webhooks.deliveries import Message
from adapters.webhooks.store import WebhookStore
from domain.events import ChunkStored, NoteOrdered, NoteOrderEvent, RecordingEvent, RecordingKind
from domain.note_order import NoteOrder, fold_order
from domain.summary import RecordingSummary, evolve_summary
from service.application.clock import Clock
from service.followers.webhook_delivery import WebhookDelivery

EVENTS_PER_WRITE = 1_000
"""How far the position is, is written after so many events without a message."""

KEPT_SUMMARIES = 10_000
"""Recordings whose facts are kept in memory; another recording's facts are folded from its history."""

MessagesOf = Callable[[RecordedEvent, RecordingSummary], Sequence[Message]]
"""What a dialect tells its endpoints about an event, given the recording right after it."""


MessagesOfOrder = Callable[[RecordedEvent, NoteOrder], Sequence[Message]]
"""The same about an event of a note order."""


class WebhookFollower:
    """Follows the log. It does not send, so no receiver holds it up."""

    name = "webhooks"

    def __init__(
        self,
        store: WebhookStore,
        thread: OneThread,
        delivery: WebhookDelivery,
        messages_of: MessagesOf,
        messages_of_order: MessagesOfOrder,
        *,
        log: EventLog,
        clock: Clock,
    ) -> None:
        self._store = store
        self._thread = thread
        self._delivery = delivery
        self._messages_of = messages_of
        self._messages_of_order = messages_of_order
        self._log = log
        self._clock = clock
        self._summaries: OrderedDict[UUID, RecordingSummary] = OrderedDict()
        self.position = 0
        """Of the last event whose deliveries, if any, have been created."""

    async def run(self) -> None:
        """Follow the log until cancelled."""
        self._summaries.clear()
        written = self.position = await self._thread.run(self._store.position)
        async for events in self._log.follow(after=written):
            messages = await self._messages(events)
            position = events[-1].position
            if messages or position - written >= EVENTS_PER_WRITE:
                touched = await self._thread.run(self._store.enqueue, messages, position=position, now=self._clock())
                self._delivery.wake(touched)
                written = position
            self.position = position

    async def _messages(self, events: Sequence[RecordedEvent]) -> Sequence[Message]:
        has_endpoints = None  # not asked for chunks alone, of which nobody is told
        messages: list[Message] = []
        for recorded in events:
            if isinstance(recorded.event, ChunkStored):
                self._keep_file(recorded.stream_id, recorded.event)
                continue
            if has_endpoints is None:
                # An endpoint made after this is notified of later events only.
                has_endpoints = bool(await self._thread.run(self._store.endpoints))
            if has_endpoints:
                messages += await self._messages_about(recorded)
            else:
                self._summaries.clear()  # they would miss this event
        return messages

    async def _messages_about(self, recorded: RecordedEvent) -> Sequence[Message]:
        event = recorded.event
        if isinstance(event, NoteOrderEvent):
            return await self._about_order(recorded)
        if not isinstance(event, RecordingEvent):  # no messages for sessions
            return ()
        summary = self._summaries.pop(recorded.stream_id, None)
        if summary is not None or recorded.version == 1:
            summary = evolve_summary(summary, event)
        else:
            summary = await self._folded(recorded)
        self._summaries[recorded.stream_id] = summary
        if len(self._summaries) > KEPT_SUMMARIES:
            self._summaries.popitem(last=False)
        return self._messages_of(recorded, summary)

    def _keep_file(self, recording_id: UUID, stored: ChunkStored) -> None:
        """A file's size is told later."""
        summary = self._summaries.get(recording_id)
        if summary is not None and summary.kind is RecordingKind.WHOLE_FILE:
            self._summaries[recording_id] = evolve_summary(summary, stored)

    async def _about_order(self, recorded: RecordedEvent) -> Sequence[Message]:
        """The order up to this event is folded from its history, which is short."""
        if isinstance(recorded.event, NoteOrdered):  # who ordered it knows
            return ()
        history = await self._log.history(recorded.stream_id)
        so_far = (each.event for each in history if each.version <= recorded.version)
        order = fold_order(event for event in so_far if isinstance(event, NoteOrderEvent))
        if order is None:
            raise LookupError(f"the log has no history of note order {recorded.stream_id}")
        return self._messages_of_order(recorded, order)

    async def _folded(self, recorded: RecordedEvent) -> RecordingSummary:
        """The recording up to this event, folded from its history."""
        summary = None
        for earlier in await self._log.history(recorded.stream_id):
            if earlier.version <= recorded.version and isinstance(earlier.event, RecordingEvent):
                summary = evolve_summary(summary, earlier.event)
        if summary is None:
            raise LookupError(f"the log has no history of recording {recorded.stream_id}")
        return summary
