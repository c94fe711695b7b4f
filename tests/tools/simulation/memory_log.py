"""The event log in memory: what is committed outlives the process that wrote it; it may fail as a real store does."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from uuid import UUID

from eventsourcing.persistence import Notification, OperationalError, StoredEvent

from adapters.event_log.mapper import EventMapper, RecordedEvent
from adapters.event_log.port import Append, Heard, LogFull, LogUnavailable, VersionConflict
from domain.events import RecordingEvent
from domain.recording import Recording, evolve
from tests.tools.simulation import faults as fault
from tests.tools.simulation.faults import Faults


class MemoryLog:
    """The durable part, and what an all-knowing observer sees in it."""

    def __init__(self, *, identity: str = "simulated", trace: Callable[[str], None] = lambda _: None) -> None:
        self.identity = identity
        self.notifications: list[Notification] = []
        self.by_recording: dict[UUID, list[StoredEvent]] = {}
        self._trace = trace
        self._lock = threading.Lock()
        self._mapper = EventMapper()
        self._states: dict[UUID, list[Recording | None]] = {}
        self._histories: dict[UUID, list[RecordingEvent]] = {}
        self._decoded: list[RecordedEvent] = []

    def insert(self, appends: Sequence[Append]) -> list[int | VersionConflict]:
        with self._lock:
            return [self._insert(append) for append in appends]

    def _insert(self, append: Append) -> int | VersionConflict:
        history = self.by_recording.setdefault(append.stream_id, [])
        if len(history) != append.expected_version:
            return VersionConflict()
        for stored in append.stored_events:
            position = len(self.notifications) + 1
            history.append(stored)
            self.notifications.append(
                Notification(stored.originator_id, stored.originator_version, stored.topic, stored.state, position)
            )
            self._trace(f"{position} {stored.topic} {stored.originator_id.hex[:6]} v{stored.originator_version}")
        return len(self.notifications)

    def history(self, recording_id: UUID) -> list[RecordingEvent]:
        """The recording's events in order."""
        self.states(recording_id)
        return self._histories.get(recording_id, [])

    def version(self, recording_id: UUID) -> int:
        return len(self.by_recording.get(recording_id, ()))

    def recorded(self) -> list[RecordedEvent]:
        """All events in order, as today's classes."""
        for notification in self.notifications[len(self._decoded) :]:
            self._decoded.append(self._mapper.to_recorded_event(notification, position=notification.id))
        return self._decoded

    def states(self, recording_id: UUID) -> list[Recording | None]:
        """The recording's state at each version from 0: the fold of its first events."""
        states = self._states.setdefault(recording_id, [None])
        for stored in self.by_recording.get(recording_id, [])[len(states) - 1 :]:
            event = self._mapper.to_recorded_event(stored, position=0).event
            self._histories.setdefault(recording_id, []).append(event)
            states.append(evolve(states[-1], event))
        return states


class MemoryLogRecorder:
    """One process's access to a `MemoryLog`: a `LogRecorder`."""

    def __init__(self, log: MemoryLog, faults: Faults) -> None:
        self.identity = log.identity
        self._log = log
        self._faults = faults

    def insert_batch(self, appends: Sequence[Append]) -> list[int | VersionConflict]:
        """See `LogRecorder.insert_batch`. A reported failure may still have written: its outcome is unknown."""
        match self._faults.one_of(
            (fault.COMMIT_FULL, fault.COMMIT_UNAVAILABLE, fault.COMMIT_UNANSWERED, fault.COMMIT_LATE)
        ):
            case None:
                return self._log.insert(appends)
            case fault.COMMIT_FULL:
                raise LogFull("The event log has no room to grow.")
            case fault.COMMIT_UNANSWERED:
                self._log.insert(appends)
            case fault.COMMIT_LATE:
                late = self._faults.random.random()
                asyncio.get_running_loop().call_later(late, self._log.insert, appends)
        raise LogUnavailable("The event log cannot be written: the connection was lost.")

    def select_events(
        self, originator_id: UUID, *, gt: int | None = None, limit: int | None = None
    ) -> list[StoredEvent]:
        self._may_fail()
        after = self._log.by_recording.get(originator_id, [])[gt or 0 :]
        return after if limit is None else after[:limit]

    def select_notifications(
        self, start: int | None, limit: int, *, inclusive_of_start: bool = True
    ) -> list[Notification]:
        self._may_fail()
        after = (start or 0) - int(inclusive_of_start)
        return self._log.notifications[max(after, 0) : max(after, 0) + limit]

    def select_position(self, originator_id: UUID, version: int | None = None) -> int | None:
        self._may_fail()
        for notification in reversed(self._log.notifications):
            if notification.originator_id == originator_id and version in (None, notification.originator_version):
                return notification.id
        return None

    def max_notification_id(self) -> int | None:
        self._may_fail()
        return len(self._log.notifications) or None

    def _may_fail(self) -> None:
        if self._faults.happens(fault.READ_UNAVAILABLE):
            raise OperationalError("the connection was lost")

    def listen(self, heard: Heard) -> None:
        """Do nothing: it cannot tell."""

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
