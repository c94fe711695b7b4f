"""From an event in the log to the message about it: public form, key, CloudEvents 1.0 headers in binary mode.

The same event makes the same message, byte for byte, on every attempt and in every process. Forms are written field by
field, and not checked again here: that costs more than all the rest, and the tests check every message they see.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import orjson

from adapters.event_log.mapper import RecordedEvent
from adapters.kafka.message import Message
from adapters.kafka.position import POSITION_HEADER
from domain import events
from service.messages import forms

SOURCE = "/tapedeck"
CONTENT_TYPE = "application/json"
_SPEC_VERSION = ("ce_specversion", b"1.0")
_SOURCE = ("ce_source", SOURCE.encode())
_CONTENT_TYPE = ("content-type", CONTENT_TYPE.encode())


def to_message(recorded: RecordedEvent) -> Message:
    """Raises: KeyError for an event type without a public form, which a test keeps from happening."""
    event, subject_id = recorded.event, str(recorded.stream_id)
    publication = PUBLIC_FORMS[type(event)]
    at = event.at.astimezone(UTC)
    at_text = at.isoformat().removesuffix("+00:00") + "Z"
    value = {
        publication.subject: subject_id,
        "version": recorded.version,
        "at": at_text,
        **publication.facts(event),
    }
    subject = subject_id.encode()
    headers = [
        _SPEC_VERSION,
        ("ce_id", b"%s/%d" % (subject, recorded.version)),
        _SOURCE,
        publication.type_header,
        ("ce_subject", subject),
        ("ce_time", at_text.encode()),
        _CONTENT_TYPE,
        (POSITION_HEADER, b"%d" % recorded.position),
    ]
    if recorded.trace_id is not None:
        headers.append(("ce_traceid", recorded.trace_id.encode()))
    return Message(
        key=subject,
        value=orjson.dumps(value, option=orjson.OPT_UTC_Z),
        headers=headers,
        timestamp_ms=int(at.timestamp() * 1000),
    )


def message_id(recorded: RecordedEvent) -> str:
    """The `ce_id`: one for each event there will ever be."""
    return f"{recorded.stream_id}/{recorded.version}"


@dataclass(frozen=True, slots=True)
class Publication:
    """The form of an event type, and the facts that it takes from an event."""

    form: type[forms.PublicForm]
    facts: Callable[[Any], dict[str, Any]]
    subject: str = "recording_id"
    """The field with the id of what the event happened to."""

    type_header: tuple[str, bytes] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "type_header", ("ce_type", self.form.TYPE.encode()))


def _recording_opened(event: events.RecordingOpened) -> dict[str, Any]:
    return {
        "dialect": event.dialect,
        "tenant_id": event.tenant_id,
        "external_id": event.external_id,
        "finalize_policy": event.finalize_policy.value,
        "max_chunks": event.max_chunks,
        "codec": event.codec,
        "started_at": event.started_at,
        "ended_at": event.ended_at,
        "expires_at": event.expires_at,
        "estimated_duration_ms": event.estimated_duration_ms,
        "chunk_duration_ms": event.chunk_duration_ms,
        "device_id": event.device_id,
        "end_user_id": event.end_user_id,
        "details_key": event.details_key,
        "note_wanted": event.note_wanted,
        "language": event.language,
    }


def _chunk_stored(event: events.ChunkStored) -> dict[str, Any]:
    return {
        "number": event.number,
        "blob_key": event.blob_key,
        "size_bytes": event.size_bytes,
        "sha256": event.sha256,
        "md5": event.md5,
        "request_sha256": event.request_sha256,
    }


def _chunk_transcribed(event: events.ChunkTranscribed) -> dict[str, Any]:
    return {
        "number": event.number,
        "chunk_sha256": event.chunk_sha256,
        "blob_key": event.blob_key,
        "size_bytes": event.size_bytes,
        "sha256": event.sha256,
        "language": event.language,
        "engine": event.engine,
        "word_count": event.word_count,
        "duration_ms": event.duration_ms,
    }


def _finalize_requested(event: events.FinalizeRequested) -> dict[str, Any]:
    return {
        "total_chunks": event.total_chunks,
        "chunks_received": event.chunks_received,
        "final_duration_ms": event.final_duration_ms,
        "checksum_md5": event.checksum_md5,
    }


def _stitched(event: events.Stitched) -> dict[str, Any]:
    return {
        "blob_key": event.blob_key,
        "size_bytes": event.size_bytes,
        "sha256": event.sha256,
        "content_type": event.content_type,
        "codec": event.codec,
        "method": event.method,
        "duration_ms": event.duration_ms,
        "chunk_count": event.chunk_count,
        "chunks_md5": event.chunks_md5,
    }


def _transcribed(event: events.Transcribed) -> dict[str, Any]:
    return {
        "blob_key": event.blob_key,
        "size_bytes": event.size_bytes,
        "sha256": event.sha256,
        "language": event.language,
        "engine": event.engine,
        "provider": event.provider,
        "word_count": event.word_count,
        "segment_count": event.segment_count,
        "confidence": event.confidence,
        "duration_ms": event.duration_ms,
    }


def _note_written(event: events.NoteWritten) -> dict[str, Any]:
    return {
        "blob_key": event.blob_key,
        "size_bytes": event.size_bytes,
        "sha256": event.sha256,
        "language": event.language,
        "engine": event.engine,
        "fallback_reason": event.fallback_reason,
    }


def _failed(event: events.Failed) -> dict[str, Any]:
    return {
        "stage": event.stage.value,
        "reason": event.reason,
        "message": event.message,
        "attempts": event.attempts,
    }


def _retry_requested(event: events.RetryRequested) -> dict[str, Any]:
    return {
        "stage": event.stage.value,
    }


def _recording_deleted(_: events.RecordingDeleted) -> dict[str, Any]:
    return {}


def _session_opened(event: events.AmbientSessionOpened) -> dict[str, Any]:
    return {
        "dialect": event.dialect,
        "tenant_id": event.tenant_id,
        "correlation_id": event.correlation_id,
        "partner_id": event.partner_id,
        "product_id": event.product_id,
        "external_user_id": event.external_user_id,
        "ehr_instance_id": event.ehr_instance_id,
        "details_key": event.details_key,
    }


def _session_updated(event: events.AmbientSessionUpdated) -> dict[str, Any]:
    return {
        "product_id": event.product_id,
        "external_user_id": event.external_user_id,
        "ehr_instance_id": event.ehr_instance_id,
        "details_key": event.details_key,
    }


def _session_ended(_: events.AmbientSessionEnded) -> dict[str, Any]:
    return {}


PUBLIC_FORMS: dict[type[events.LoggedEvent], Publication] = {
    events.RecordingOpened: Publication(forms.RecordingOpened, _recording_opened),
    events.ChunkStored: Publication(forms.ChunkStored, _chunk_stored),
    events.ChunkTranscribed: Publication(forms.ChunkTranscribed, _chunk_transcribed),
    events.FinalizeRequested: Publication(forms.FinalizeRequested, _finalize_requested),
    events.Stitched: Publication(forms.Stitched, _stitched),
    events.Transcribed: Publication(forms.Transcribed, _transcribed),
    events.NoteWritten: Publication(forms.NoteWritten, _note_written),
    events.Failed: Publication(forms.Failed, _failed),
    events.RetryRequested: Publication(forms.RetryRequested, _retry_requested),
    events.RecordingDeleted: Publication(forms.RecordingDeleted, _recording_deleted),
    events.AmbientSessionOpened: Publication(forms.AmbientSessionOpened, _session_opened, "session_id"),
    events.AmbientSessionUpdated: Publication(forms.AmbientSessionUpdated, _session_updated, "session_id"),
    events.AmbientSessionEnded: Publication(forms.AmbientSessionEnded, _session_ended, "session_id"),
}
