"""Adapts a recorder of the `eventsourcing` library to snapshots: the newest state of a recording that was kept.

Not to be relied on: a snapshot may be lost, or unreadable, at no cost but the time to fold the history instead.
"""

from uuid import UUID

from eventsourcing.persistence import AggregateRecorder, PersistenceError, StoredEvent
from pydantic import ValidationError

from adapters.event_log.reader import StateAt
from domain.snapshots import Snapshot, restore

_TOPIC = "RecordingSnapshot"


class SnapshotUnreadable(Exception):
    """A newer tapedeck wrote it, or it is corrupt, or the store cannot be read."""


class SnapshotNotKept(Exception):
    """The store cannot be written."""


class SnapshotStore:
    """Snapshots by recording. Blocking: for threads."""

    def __init__(self, recorder: AggregateRecorder) -> None:
        self._recorder = recorder

    def newest(self, stream_id: UUID) -> StateAt | None:
        """Raises: SnapshotUnreadable."""
        try:
            rows = self._recorder.select_events(stream_id, desc=True, limit=1)
        except PersistenceError as error:
            raise SnapshotUnreadable(str(error)) from error
        if not rows:
            return None
        try:
            snapshot = Snapshot.model_validate_json(rows[0].state)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise SnapshotUnreadable(f"{place}: {first['msg']}") from error
        return StateAt(rows[0].originator_version, restore(snapshot))

    def keep(self, stream_id: UUID, version: int, snapshot: Snapshot) -> None:
        """Keep the snapshot of `version`; older ones of the recording may go. Raises: SnapshotNotKept."""
        state = snapshot.model_dump_json().encode()
        try:
            self._recorder.insert_events([StoredEvent(stream_id, version, _TOPIC, state)])
        except PersistenceError as error:
            raise SnapshotNotKept(str(error)) from error
