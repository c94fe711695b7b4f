"""Copies a log to another place: the same events at the same positions, and in the end the same identity.

Until the copy is complete, its identity says that it is one, and `open_log` refuses it. Each commit adds the source's
next events, so a copy that was interrupted goes on where it is.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from eventsourcing.persistence import Notification, StoredEvent

from adapters.event_log.log_file import LogFile
from adapters.event_log.port import COPY_OF, Append, CopyRecorder

EVENTS_AT_ONCE = 1_000


class CopyRefused(Exception):
    """Nothing can be copied there. `str()` is one sentence."""


@dataclass(frozen=True, slots=True)
class SameEvents:
    """What two logs have in common, which is all. `sha256`: of the events in their order, in hex."""

    count: int
    sha256: str


def is_begun(source: LogFile, copy: CopyRecorder) -> bool:
    """Whether the log is a copy of this source already, complete or not.

    Raises: CopyRefused if it is anything but that, or new.
    """
    if copy.identity in (source.identity, COPY_OF + source.identity):
        head = copy.max_notification_id() or 0
        if _at(source, head) != _last(copy, head):
            raise CopyRefused("The destination's log is no longer the beginning of the source's; it is left alone.")
        return True
    if copy.identity.startswith(COPY_OF):
        raise CopyRefused("The destination's log is the unfinished copy of another one.")
    if copy.max_notification_id():
        raise CopyRefused("The destination has another log, with events.")
    return False


def _at(source: LogFile, position: int) -> Sequence[Notification]:
    return source.after(position - 1, 1) if position else ()


def _last(copy: CopyRecorder, position: int) -> Sequence[Notification]:
    return copy.select_notifications(position, 1) if position else ()


def begin(source: LogFile, copy: CopyRecorder) -> None:
    """From now on the log is an unfinished copy. Raises: LogFull, LogUnavailable."""
    copy.set_identity(COPY_OF + source.identity)


def copy_events(source: LogFile, copy: CopyRecorder) -> Iterator[int]:
    """Add what the source has and the copy has not; yields the position that is reached with each commit.

    Ends at what was the source's end: a service may be writing to it. Raises: CopyRefused; LogFull, LogUnavailable.
    """
    position, end = copy.max_notification_id() or 0, source.head
    while position < end and (events := source.after(position, min(EVENTS_AT_ONCE, end - position))):
        _check_dense(position, events)
        outcomes = copy.insert_batch([_append(event) for event in events])
        if outcomes != [event.id for event in events]:
            raise CopyRefused(f"The destination does not take the events after position {position} as they are.")
        position = events[-1].id
        yield position


def _check_dense(position: int, events: Sequence[Notification]) -> None:
    if any(after != before + 1 for before, after in pairwise([position, *(event.id for event in events)])):
        raise CopyRefused(f"The source's log has a gap after position {position}: it is damaged.")


def _append(event: Notification) -> Append:
    stored = StoredEvent(event.originator_id, event.originator_version, event.topic, event.state)
    assert not isinstance(event.originator_id, str)  # noqa: S101 - all streams of this project have UUIDs
    return Append(event.originator_id, event.originator_version - 1, [stored])


def compare(source: LogFile, copy: CopyRecorder) -> SameEvents:
    """Read both from the first event to the last. Raises: CopyRefused if they differ; LogUnavailable."""
    digest, position = hashlib.sha256(), 0
    while True:
        events = source.after(position, EVENTS_AT_ONCE)
        copied = copy.select_notifications(position, EVENTS_AT_ONCE, inclusive_of_start=False)
        for event, its_copy in zip(events, copied, strict=False):
            if event != its_copy:
                raise CopyRefused(f"The logs differ at position {event.id}; begin anew in an empty place.")
        if len(events) != len(copied):
            raise CopyRefused(f"The logs differ: one of them ends before position {position + EVENTS_AT_ONCE}.")
        if not events:
            return SameEvents(position, digest.hexdigest())
        for event in events:
            digest.update(_bytes_of(event))
        position = events[-1].id


def _bytes_of(event: Notification) -> bytes:
    head = f"{event.id} {event.originator_id} {event.originator_version} {event.topic} {len(event.state)}\n"
    return head.encode() + event.state


def complete(source: LogFile, copy: CopyRecorder) -> None:
    """From now on it is the same log. Raises: LogFull, LogUnavailable."""
    copy.set_identity(source.identity)
