"""What Bota's webhooks say about an event (REFERENCE.md, "Webhooks"). Facts and ids only: receivers ask for the rest.

An event's id is computed from its place in its recording's history, so that it is the same on every attempt and after
every restart.
"""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from adapters.event_log.mapper import RecordedEvent
from adapters.webhooks.deliveries import Message
from domain.events import (
    Failed,
    FinalizeRequested,
    LoggedEvent,
    NoteEdited,
    NoteOrderBegun,
    NoteOrderFailed,
    NoteOrderFulfilled,
    RecordingDeleted,
    RecordingOpened,
    RetryRequested,
    Stage,
    Stitched,
    Transcribed,
    TranscriptionRequested,
)
from domain.note_order import NoteOrder
from domain.summary import RecordingSummary
from service.dialects.bota.answers import EventType
from service.dialects.bota.identifiers import DIALECT, public_recording_id
from service.dialects.bota.rendering import (
    damage_answers,
    recording_answer,
    recording_status,
    transcription_answer,
)
from service.dialects.bota.written_summaries.rendering import summary_facts
from service.dialects.http.json_answers import utc_text

TYPES: dict[type[LoggedEvent], tuple[EventType, ...]] = {
    RecordingOpened: ("recording.created",),
    FinalizeRequested: ("recording.uploaded", "transcription.queued"),
    Stitched: ("transcription.started",),
    Transcribed: ("transcription.completed",),
    Failed: ("transcription.failed",),
    RetryRequested: ("transcription.queued",),
    TranscriptionRequested: ("transcription.queued",),
    RecordingDeleted: ("recording.deleted",),
}

_STATUS_TOLD: dict[EventType, str] = {"recording.created": "created", "recording.uploaded": "uploaded"}
"""(P) As receivers know it: a recording's status right after it was created is called otherwise in its object."""


TYPES_OF_ORDERS: dict[type[LoggedEvent], EventType] = {
    NoteOrderBegun: "summary.started",
    NoteOrderFulfilled: "summary.completed",
    NoteOrderFailed: "summary.failed",
}

_OF_RECORDING = (
    "id",
    "project_id",
    "device_id",
    "end_user_id",
    "source",
    "status",
    "duration_ms",
    "file_size_bytes",
    "started_at",
    "ended_at",
    "created_at",
    "uploaded_at",
)
_NOT_OF_TRANSCRIPTION = {"text", "full_text", "segments"}


def messages_of(recorded: RecordedEvent, summary: RecordingSummary) -> Sequence[Message]:
    """`summary`: the recording right after the event. There are no messages about another dialect's recordings, but of
    their notes: Bota's own have none, and (D) whoever registers for `note.edited` wants to know."""
    event = recorded.event
    if isinstance(event, NoteEdited):
        return [_message(recorded, summary.tenant_id, recorded.stream_id, "note.edited", _edit_told(recorded, event))]
    if summary.dialect != DIALECT or _is_of_no_transcription(event):
        return ()
    return [
        _message(recorded, summary.tenant_id, recorded.stream_id, event_type, _data(recorded, summary, event_type))
        for event_type in TYPES.get(type(event), ())
    ]


def _is_of_no_transcription(event: LoggedEvent) -> bool:
    """An upload that expired; or a wish that starts nothing."""
    expired = isinstance(event, Failed) and event.stage is Stage.UPLOAD
    return expired or (isinstance(event, TranscriptionRequested) and not event.is_anew)


def messages_of_order(recorded: RecordedEvent, order: NoteOrder) -> Sequence[Message]:
    """`order`: the order of a summary right after the event. Another dialect's orders are nobody's here."""
    event_type, ordered = TYPES_OF_ORDERS.get(type(recorded.event)), order.ordered
    if event_type is None or ordered.dialect != DIALECT:
        return ()
    data = summary_facts(recorded.stream_id, order)
    return [_message(recorded, ordered.tenant_id, ordered.recording_id, event_type, data)]


def _message(
    recorded: RecordedEvent, project_id: str, recording_id: UUID, event_type: EventType, data: dict[str, Any]
) -> Message:
    event_id = f"evt_{_digest(f'{recorded.stream_id.hex} {recorded.version} {event_type}')}"
    body = {
        "id": event_id,
        "type": event_type,
        "created_at": utc_text(recorded.event.at),
        "data": data,
    }
    return Message(
        event_id=event_id,
        type=event_type,
        project_id=project_id,
        recording_id=recording_id,
        position=recorded.position,
        created_at=recorded.event.at,
        body=orjson.dumps(body),
    )


def _edit_told(recorded: RecordedEvent, event: NoteEdited) -> dict[str, Any]:
    return {
        "recording_id": public_recording_id(recorded.stream_id),
        "version": event.number,
        "author": event.author,
        "edited_at": utc_text(event.at),
        "sha256": event.sha256,
    }


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _data(recorded: RecordedEvent, summary: RecordingSummary, event_type: EventType) -> dict[str, Any]:
    if event_type == "recording.deleted":
        deleted_at = utc_text(recorded.event.at)
        return {"id": public_recording_id(recorded.stream_id), "deleted_at": deleted_at}
    if event_type.startswith("recording."):
        shown = recording_answer(recorded.stream_id, summary, None).model_dump()
        duration_ms = shown["duration_ms"]
        return {name: shown[name] for name in _OF_RECORDING} | {
            "status": _STATUS_TOLD[event_type],
            "duration_seconds": None if duration_ms is None else duration_ms / 1000,
            "format": summary.codec,
        }
    shown = transcription_answer(recorded.stream_id, summary, None).model_dump(exclude=_NOT_OF_TRANSCRIPTION)
    failed = summary.failed
    damage = [damaged.model_dump() for damaged in damage_answers(summary)]
    return shown | {
        "recording_status": recording_status(summary),
        "reason": failed.reason if failed else None,
        **({"damage": damage} if damage else {}),
    }
