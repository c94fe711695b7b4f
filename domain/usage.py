"""What a recording or an ordered note takes up of its project's quotas, folded from its events."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from domain.events import (
    ChunkStored,
    ChunkTranscribed,
    ContentErased,
    Failed,
    FinalizeRequested,
    NoteEdited,
    NoteOrdered,
    NoteOrderEvent,
    NoteOrderFailed,
    NoteOrderFulfilled,
    NoteWritten,
    PartHeard,
    RecordingDeleted,
    RecordingEvent,
    RecordingOpened,
    Stitched,
    Transcribed,
)


@dataclass(frozen=True, slots=True)
class RecordingUsage:
    """Of one recording that is not deleted.

    `kept_bytes`: of its chunks, its audio, its transcripts and notes, also of those that were replaced and are not
    erased yet. `is_open`: its upload is not complete, and has not expired. One that was declared complete before its
    chunks came is open until they are stitched.
    """

    tenant_id: str
    kept_bytes: int = 0
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class OrderUsage:
    """Of one ordered note. `is_waiting`: it is neither written nor given up."""

    tenant_id: str
    recording_id: UUID
    kept_bytes: int = 0
    is_waiting: bool = True


def evolve_recording_usage(usage: RecordingUsage | None, event: RecordingEvent) -> RecordingUsage | None:
    """The usage after one event; None once the recording is deleted, and of events of a recording not known."""
    if type(event) is RecordingOpened:
        return RecordingUsage(event.tenant_id)
    change = _CHANGES.get(type(event))
    return usage if usage is None or change is None else change(usage, event)


def evolve_order_usage(usage: OrderUsage | None, event: NoteOrderEvent) -> OrderUsage | None:
    """The same of an ordered note."""
    if type(event) is NoteOrdered:
        return OrderUsage(event.tenant_id, event.recording_id)
    if usage is None:
        return None
    if type(event) is NoteOrderFulfilled:
        return replace(usage, kept_bytes=event.size_bytes, is_waiting=False)
    return replace(usage, is_waiting=False) if type(event) is NoteOrderFailed else usage


_Stored = ChunkStored | ChunkTranscribed | PartHeard | Transcribed | NoteWritten | NoteEdited


def _stored(usage: RecordingUsage, event: _Stored) -> RecordingUsage:
    return RecordingUsage(usage.tenant_id, usage.kept_bytes + event.size_bytes, usage.is_open)


def _finalized(usage: RecordingUsage, event: FinalizeRequested) -> RecordingUsage:
    return replace(usage, is_open=usage.is_open and event.chunks_received < event.total_chunks)


def _stitched(usage: RecordingUsage, event: Stitched) -> RecordingUsage:
    return replace(usage, kept_bytes=usage.kept_bytes + event.size_bytes, is_open=False)


def _failed(usage: RecordingUsage, _: Failed) -> RecordingUsage:
    return replace(usage, is_open=False)


def _erased(usage: RecordingUsage, event: ContentErased) -> RecordingUsage:
    return replace(usage, kept_bytes=usage.kept_bytes - event.size_bytes)


def _deleted(_: RecordingUsage, __: RecordingDeleted) -> None:
    return None


_CHANGES: dict[type[RecordingEvent], Callable[[RecordingUsage, Any], RecordingUsage | None]] = {
    ChunkStored: _stored,
    ChunkTranscribed: _stored,
    PartHeard: _stored,
    FinalizeRequested: _finalized,
    Stitched: _stitched,
    Transcribed: _stored,
    NoteWritten: _stored,
    NoteEdited: _stored,
    Failed: _failed,
    ContentErased: _erased,
    RecordingDeleted: _deleted,
}
