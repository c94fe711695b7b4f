"""The port to the log's store: what a recorder of the `eventsourcing` library must do beyond the library's own.

One call inserts the appends of many streams in one transaction. An append whose stream has moved on meanwhile is left
out and reported, and does not affect the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent


@dataclass(frozen=True, slots=True)
class Append:
    """Events to follow version `expected_version` of one stream (0: it has none yet)."""

    stream_id: UUID
    expected_version: int
    stored_events: Sequence[StoredEvent]


class VersionConflict(Exception):
    """The stream is not at the version that the append was decided on; decide again on its newest state."""


class LogUnavailable(Exception):
    """The log cannot be written or read at the moment. Committed events stay."""


class LogFull(LogUnavailable):
    """There is no room for the log to grow."""


Heard = Callable[[int], None]
"""Called from any thread with the position of an event that was committed, by this process or another."""


class LogRecorder(Protocol):
    """Durable and ordered: positions grow by 1 in the order of commits, and never change."""

    @property
    def identity(self) -> str:
        """A name that this log got when it was created, and no other log has: positions mean nothing in another log."""
        ...

    def insert_batch(self, appends: Sequence[Append]) -> list[int | VersionConflict]:
        """Insert all appends that fit, in one transaction, durable on return.

        Returns, for each append, the position of its last event, or the conflict that kept it out. An append fits if
        its stream is exactly at `expected_version`, counting the appends before it in the same batch.

        Raises: LogFull, LogUnavailable; then nothing of the batch is in the log.
        """
        ...

    def select_events(
        self, originator_id: UUID, *, gt: int | None = None, limit: int | None = None
    ) -> Sequence[StoredEvent]:
        """One stream's events after version `gt`, in order, at most `limit` of them."""
        ...

    def select_notifications(
        self, start: int | None, limit: int, *, inclusive_of_start: bool = True
    ) -> Sequence[Notification]:
        """At most `limit` events of all streams from position `start` on, in order."""
        ...

    def select_position(self, originator_id: UUID, version: int | None = None) -> int | None:
        """Where in the log one stream's event of this version is, or its last event; None if there is none."""
        ...

    def max_notification_id(self) -> int | None:
        """The position of the last event; None (or 0) if there is none."""
        ...

    def listen(self, heard: Heard) -> None:
        """Call `heard` soon after each commit, also one of another process, until the recorder is closed.

        Returns at once. Only one may listen. A commit may be missed, so who listens looks from time to time as well; a
        store that cannot tell of commits calls nothing.
        """
        ...

    def close(self) -> None:
        """Release the store. Nothing is heard any more once this returns."""
        ...


COPY_OF = "copy of "
"""How the identity of an unfinished copy begins; the other log's follows."""


class CopyRecorder(LogRecorder, Protocol):
    """One that can be made a copy of another log."""

    def set_identity(self, identity: str) -> None:
        """From now on the log has this name, durably. Raises: LogFull, LogUnavailable."""
        ...
