"""Snapshots of recordings: how a recording's state is written into the log's store of snapshots, and read back."""

from uuid import UUID

from pydantic import ValidationError

from adapters.event_log.reader import StateAt
from adapters.event_log.snapshots import SnapshotStore, SnapshotUnreadable, StoredSnapshot
from domain.recording import Recording
from domain.snapshots import Snapshot, restore

KIND = "RecordingSnapshot"


class RecordingSnapshots:
    """Snapshots by recording. Blocking: for threads."""

    def __init__(self, store: SnapshotStore) -> None:
        self._store = store

    def newest(self, recording_id: UUID) -> StateAt[Recording] | None:
        """Raises: SnapshotUnreadable."""
        stored = self._store.newest(recording_id)
        if stored is None:
            return None
        try:
            snapshot = Snapshot.model_validate_json(stored.state)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise SnapshotUnreadable(f"{place}: {first['msg']}") from error
        return StateAt(stored.version, restore(snapshot))

    def keep(self, recording_id: UUID, version: int, snapshot: Snapshot) -> None:
        """Keep the snapshot of `version`; older ones of the recording may go. Raises: SnapshotNotKept."""
        self._store.keep(recording_id, StoredSnapshot(version, KIND, snapshot.model_dump_json().encode()))
