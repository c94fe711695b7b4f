"""What a query about an ambient session returns: its newest facts in one row, folded from its own events and from those
of the recordings that belong to it."""

from dataclasses import dataclass, replace
from datetime import datetime

from domain.ambient_session import AmbientSession, evolve_session
from domain.events import (
    AmbientSessionEnded,
    AmbientSessionEvent,
    AmbientSessionOpened,
    AmbientSessionUpdated,
    ChunkStored,
    ChunkTranscribed,
    ContentErased,
    LoggedEvent,
    PartHeard,
    RecordingDeleted,
    RecordingEvent,
    RecordingOpened,
)

_IN_BETWEEN = ChunkStored | ChunkTranscribed | PartHeard | ContentErased
"""What happens to a recording without changing how it stands: there may be thousands of these."""


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """An ambient session as queries see it. Times are aware UTC datetimes.

    `session`: None as long as recordings have named the session and nobody has announced it. `ended_at`: None while
    further recordings may begin. `active_at`: when it was last announced or ended, or when one of its recordings began,
    came to another state, got a corrected note or was deleted; single chunks do not count. `recording_count`: without
    those deleted.
    """

    active_at: datetime
    session: AmbientSession | None = None
    ended_at: datetime | None = None
    recording_count: int = 0


def concerns_sessions(event: LoggedEvent) -> bool:
    """Whether an event may change a session's row."""
    return isinstance(event, AmbientSessionEvent | RecordingEvent) and not isinstance(event, _IN_BETWEEN)


def evolve_session_summary(summary: SessionSummary | None, event: LoggedEvent) -> SessionSummary | None:
    """The row after one event of the session, or of a recording that belongs to it. None: there is nothing to keep, no
    announcement and no recording.

    Raises: CorruptSession if a session's first event is not AmbientSessionOpened.
    """
    if not concerns_sessions(event):
        return summary
    before = SessionSummary(event.at) if summary is None else summary
    after = replace(_changed(before, event), active_at=max(before.active_at, event.at))
    return after if after.session is not None or after.recording_count else None


def _changed(summary: SessionSummary, event: LoggedEvent) -> SessionSummary:
    match event:
        case AmbientSessionOpened():
            return replace(summary, session=evolve_session(summary.session, event), ended_at=None)
        case AmbientSessionEnded():
            return replace(summary, session=evolve_session(summary.session, event), ended_at=event.at)
        case AmbientSessionUpdated():
            return replace(summary, session=evolve_session(summary.session, event))
        case RecordingOpened():
            return replace(summary, recording_count=summary.recording_count + 1)
        case RecordingDeleted():
            return replace(summary, recording_count=summary.recording_count - 1)
        case _:
            return summary
