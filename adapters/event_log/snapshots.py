"""Adapts a recorder of the `eventsourcing` library to snapshots: a stream's newest state that was kept.

The owner defines a snapshot's content; here it is bytes. Do not rely on snapshots: one may be lost or unreadable, and
this only costs the time to fold the history instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from eventsourcing.persistence import PersistenceError, StoredEvent


class SnapshotRecorder(Protocol):
    """The library's recorder of aggregates, which can also forget one. All raise PersistenceError."""

    def select_events(
        self, originator_id: UUID, *, desc: bool = False, limit: int | None = None
    ) -> Sequence[StoredEvent]: ...

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None: ...

    def delete_events(self, originator_id: UUID) -> None:
        """Remove all that is kept of the stream; nothing is no error."""
        ...


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A stream's state after the event of `version`. `kind` is stored with it and says what the bytes are."""

    version: int
    kind: str
    state: bytes


class SnapshotUnreadable(Exception):
    """It was written by a newer tapedeck, or it is corrupt, or the store cannot be read."""


class SnapshotNotKept(Exception):
    """The store cannot be written."""


class SnapshotNotForgotten(Exception):
    """The store cannot be written; the snapshot stays."""


class SnapshotStore:
    """Snapshots by stream. Blocking: for threads."""

    def __init__(self, recorder: SnapshotRecorder) -> None:
        self._recorder = recorder

    def newest(self, stream_id: UUID) -> StoredSnapshot | None:
        """Raises: SnapshotUnreadable."""
        try:
            rows = self._recorder.select_events(stream_id, desc=True, limit=1)
        except PersistenceError as error:
            raise SnapshotUnreadable(str(error)) from error
        return StoredSnapshot(rows[0].originator_version, rows[0].topic, rows[0].state) if rows else None

    def keep(self, stream_id: UUID, snapshot: StoredSnapshot) -> None:
        """Keep the snapshot; older ones of the stream may go. Raises: SnapshotNotKept."""
        stored = StoredEvent(stream_id, snapshot.version, snapshot.kind, snapshot.state)
        try:
            self._recorder.insert_events([stored])
        except PersistenceError as error:
            raise SnapshotNotKept(str(error)) from error

    def forget(self, stream_id: UUID) -> None:
        """Remove the stream's snapshot, if there is one. Raises: SnapshotNotForgotten."""
        try:
            self._recorder.delete_events(stream_id)
        except PersistenceError as error:
            raise SnapshotNotForgotten(str(error)) from error
