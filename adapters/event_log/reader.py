"""Reads the log back as events. Blocking: for threads, and for commands that run beside the service."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from adapters.event_log.mapper import EventMapper, RecordedEvent
from adapters.event_log.recorder import LogRecorder
from domain.events import SESSION_EVENT_TYPES, LoggedEvent, RecordingEvent
from domain.recording import Recording, fold


@dataclass(frozen=True, slots=True)
class StateAt:
    """A recording as it is after the event of `version`; None at version 0."""

    version: int
    recording: Recording | None


BEGINNING = StateAt(0, None)


class EventReader:
    """Events out of a recorder. Raises: the store's own errors; UnknownEventVersion."""

    def __init__(self, recorder: LogRecorder) -> None:
        self._recorder = recorder
        self._mapper = EventMapper()

    def history(self, stream_id: UUID, *, after_version: int = 0) -> list[RecordedEvent]:
        """One stream's events after `after_version`, in order; positions are not looked up (0)."""
        stored_events = self._recorder.select_events(stream_id, gt=after_version)
        return [self._mapper.to_recorded_event(stored, position=0) for stored in stored_events]

    def first_events(self, stream_ids: Iterable[UUID]) -> dict[UUID, LoggedEvent]:
        """The first event of each stream."""
        firsts = {stream_id: self._recorder.select_events(stream_id, limit=1) for stream_id in stream_ids}
        return {stream_id: self._mapper.to_event(stored) for stream_id, (stored, *_) in firsts.items()}

    def state(self, stream_id: UUID, *, after: StateAt = BEGINNING) -> StateAt:
        """One recording's state as the log has it now, folded from its events `after` an earlier state.

        None for the id of a session: there is no recording of that name.
        """
        stored_events = self._recorder.select_events(stream_id, gt=after.version)
        # One at a time: ten thousand events kept at once cost the garbage collector more than reading them.
        events = (
            cast("RecordingEvent", self._mapper.to_event(stored))
            for stored in stored_events
            if stored.topic not in SESSION_EVENT_TYPES
        )
        return StateAt(after.version + len(stored_events), fold(events, after.recording))

    def after(self, position: int, *, limit: int = 512) -> list[RecordedEvent]:
        """At most `limit` events of all streams after `position`, in order; none at the end."""
        notifications = self._recorder.select_notifications(position, limit, inclusive_of_start=False)
        return [self._mapper.to_recorded_event(stored, position=stored.id) for stored in notifications]
