"""Snapshots of recordings: writes a recording's state to the log's snapshot store and reads it back."""

from collections.abc import Callable
from uuid import UUID

from pydantic import ValidationError

from adapters.event_log.reader import StateAt
from adapters.event_log.snapshots import SnapshotStore, SnapshotUnreadable, StoredSnapshot
from domain.recording import Recording
from domain.snapshots import Snapshot, restore, take_snapshot

KIND = "RecordingSnapshot"


class RecordingSnapshots:
    """Snapshots by recording."""

    def __init__(self, store: SnapshotStore) -> None:
        self._store = store

    def newest(self, recording_id: UUID) -> StateAt[Recording] | None:
        """Blocking: for threads. Raises: SnapshotUnreadable."""
        stored = self._store.newest(recording_id)
        if stored is None:
            return None
        if stored.kind != KIND:
            raise SnapshotUnreadable(f"it is a {stored.kind}, not a {KIND}")
        try:
            snapshot = Snapshot.model_validate_json(stored.state)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise SnapshotUnreadable(f"{place}: {first['msg']}") from error
        return StateAt(stored.version, restore(snapshot))

    def forget(self, recording_id: UUID) -> None:
        """Blocking: for threads. Raises: SnapshotNotForgotten."""
        self._store.forget(recording_id)

    def keeping(self, recording_id: UUID, reached: StateAt[Recording]) -> Callable[[], None]:
        """A function that keeps the state, to be called in a thread; it may drop older snapshots of the recording. It
        raises SnapshotNotKept."""
        assert reached.state is not None  # noqa: S101 - of nothing, nothing is kept
        # Taken here, only written in the thread: states of one history share a dict, which goes on growing in this one.
        snapshot = take_snapshot(reached.state)
        return lambda: self._store.keep(
            recording_id, StoredSnapshot(reached.version, KIND, snapshot.model_dump_json().encode())
        )
