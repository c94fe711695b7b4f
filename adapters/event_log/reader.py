"""Reads the log back as events. Blocking: for threads, and for commands that run beside the service."""

from uuid import UUID

from adapters.event_log.mapper import EventMapper, RecordedEvent
from adapters.event_log.recorder import LogRecorder


class EventReader:
    """Events out of a recorder. Raises: the store's own errors; UnknownEventVersion."""

    def __init__(self, recorder: LogRecorder) -> None:
        self._recorder = recorder
        self._mapper = EventMapper()

    def history(self, recording_id: UUID, *, after_version: int = 0) -> list[RecordedEvent]:
        """One recording's events after `after_version`, in order; positions are not looked up (0)."""
        stored_events = self._recorder.select_events(recording_id, gt=after_version)
        return [self._mapper.to_recorded_event(stored, position=0) for stored in stored_events]

    def after(self, position: int, *, limit: int = 512) -> list[RecordedEvent]:
        """At most `limit` events of all recordings after `position`, in order; none at the end."""
        notifications = self._recorder.select_notifications(position, limit, inclusive_of_start=False)
        return [self._mapper.to_recorded_event(stored, position=stored.id) for stored in notifications]
