"""What Bota's webhooks say about an event (REFERENCE.md, "Webhooks"). Facts and ids only: receivers ask for the rest.

An event's id is computed from its place in its recording's history, so that it is the same on every attempt and after
every restart.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from adapters.event_log.mapper import RecordedEvent
from adapters.webhooks.deliveries import Message
from domain.events import (
    Failed,
    FinalizeRequested,
    LoggedEvent,
    RecordingDeleted,
    RecordingOpened,
    RetryRequested,
    Stage,
    Stitched,
    Transcribed,
    TranscriptionRequested,
)
from domain.summary import RecordingSummary
from service.dialects.bota.answers import EventType
from service.dialects.bota.identifiers import DIALECT, public_recording_id
from service.dialects.bota.rendering import (
    damage_answers,
    recording_answer,
    recording_status,
    transcription_answer,
)
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
    """`summary`: the recording right after the event. There are no messages about another dialect's recordings."""
    event = recorded.event
    if summary.dialect != DIALECT or _is_of_no_transcription(event):
        return ()
    return [_message(recorded, summary, event_type) for event_type in TYPES.get(type(event), ())]


def _is_of_no_transcription(event: LoggedEvent) -> bool:
    """An upload that expired; or a wish that starts nothing."""
    expired = isinstance(event, Failed) and event.stage is Stage.UPLOAD
    return expired or (isinstance(event, TranscriptionRequested) and not event.is_anew)


def _message(recorded: RecordedEvent, summary: RecordingSummary, event_type: EventType) -> Message:
    event_id = f"evt_{_digest(f'{recorded.stream_id.hex} {recorded.version} {event_type}')}"
    body = {
        "id": event_id,
        "type": event_type,
        "created_at": utc_text(recorded.event.at),
        "data": _data(recorded, summary, event_type),
    }
    return Message(
        event_id=event_id,
        type=event_type,
        project_id=summary.tenant_id,
        recording_id=recorded.stream_id,
        position=recorded.position,
        created_at=recorded.event.at,
        body=orjson.dumps(body),
    )


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
