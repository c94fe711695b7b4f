"""Reads the log back as events. Blocking: for threads, and for commands that run beside the service."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from adapters.event_log.mapper import EventMapper, RecordedEvent
from adapters.event_log.port import LogRecorder
from domain.events import LoggedEvent

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class StateAt(Generic[S]):
    """A stream's state after the event of `version`; None at version 0."""

    version: int
    state: S | None


Fold = Callable[[Iterable[LoggedEvent], S | None], S | None]
"""The state after these events, from an earlier one or from none. It gets one event after another and keeps none."""


class EventReader:
    """Reads events from a recorder. Raises: the store's own errors; UnknownEventVersion."""

    def __init__(self, recorder: LogRecorder) -> None:
        self._recorder = recorder
        self._mapper = EventMapper()

    def history(self, stream_id: UUID, *, after_version: int = 0, limit: int | None = None) -> list[RecordedEvent]:
        """One stream's events after `after_version`, in order, at most `limit`; positions are not looked up (0)."""
        stored_events = self._recorder.select_events(stream_id, gt=after_version, limit=limit)
        return [self._mapper.to_recorded_event(stored, position=0) for stored in stored_events]

    def first_events(self, stream_ids: Iterable[UUID]) -> dict[UUID, LoggedEvent]:
        """The first event of each stream that has any."""
        firsts = {stream_id: self._recorder.select_events(stream_id, limit=1) for stream_id in stream_ids}
        return {stream_id: self._mapper.to_event(stored[0]) for stream_id, stored in firsts.items() if stored}

    def opening(self, stream_id: UUID) -> RecordedEvent | None:
        """The first event of a stream, with its position; None if there is no such stream."""
        stored_events = self._recorder.select_events(stream_id, limit=1)
        position = self._recorder.select_position(stream_id, 1)
        if not stored_events or position is None:
            return None
        return self._mapper.to_recorded_event(stored_events[0], position=position)

    def state(self, stream_id: UUID, fold: Fold[S], *, after: StateAt[S] | None = None) -> StateAt[S]:
        """One stream's current state in the log: its events, or those `after` an earlier state, folded by `fold`."""
        begun: StateAt[S] = after or StateAt(0, None)
        stored_events = self._recorder.select_events(stream_id, gt=begun.version)
        # One at a time: ten thousand events kept at once cost the garbage collector more than reading them.
        events = map(self._mapper.to_event, stored_events)
        return StateAt(begun.version + len(stored_events), fold(events, begun.state))

    def after(self, position: int, *, limit: int = 512) -> list[RecordedEvent]:
        """At most `limit` events of all streams after `position`, in order; none at the end."""
        notifications = self._recorder.select_notifications(position, limit, inclusive_of_start=False)
        return [self._mapper.to_recorded_event(stored, position=stored.id) for stored in notifications]

    def all(self) -> Iterator[RecordedEvent]:
        """The events of all streams, in order, up to the newest when it is reached."""
        position = 0
        while events := self.after(position):
            yield from events
            position = events[-1].position
