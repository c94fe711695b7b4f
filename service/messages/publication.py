"""From an event in the log to the message about it: public form, key, CloudEvents 1.0 headers in binary mode.

The same event makes the same message, byte for byte, on every attempt and in every process.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from adapters.event_log.mapper import RecordedEvent
from adapters.kafka.message import Message
from adapters.kafka.position import POSITION_HEADER
from domain import events
from service.messages import forms

SOURCE = "/tapedeck"
CONTENT_TYPE = "application/json"


def to_message(recorded: RecordedEvent) -> Message:
    """Raises: KeyError for an event type without a public form, which a test keeps from happening."""
    form = PUBLIC_FORMS[type(recorded.event)](_place(recorded), recorded.event)
    recording_id = str(recorded.recording_id)
    subject = recording_id.encode()
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", message_id(recorded).encode()),
        ("ce_source", SOURCE.encode()),
        ("ce_type", form.TYPE.encode()),
        ("ce_subject", subject),
        ("ce_time", _rfc3339(recorded.event.at).encode()),
        ("content-type", CONTENT_TYPE.encode()),
        (POSITION_HEADER, b"%d" % recorded.position),
    ]
    if recorded.trace_id is not None:
        headers.append(("ce_traceid", recorded.trace_id.encode()))
    return Message(
        key=subject,
        value=form.model_dump_json().encode(),
        headers=headers,
        timestamp_ms=int(recorded.event.at.timestamp() * 1000),
    )


def message_id(recorded: RecordedEvent) -> str:
    """The `ce_id`: one for each event there will ever be."""
    return f"{recorded.recording_id}/{recorded.version}"


def _place(recorded: RecordedEvent) -> dict[str, Any]:
    return {"recording_id": recorded.recording_id, "version": recorded.version, "at": recorded.event.at}


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _recording_opened(place: dict[str, Any], event: events.RecordingOpened) -> forms.RecordingOpened:
    return forms.RecordingOpened(
        **place,
        dialect=event.dialect,
        tenant_id=event.tenant_id,
        external_id=event.external_id,
        finalize_policy=event.finalize_policy.value,
        max_chunks=event.max_chunks,
        codec=event.codec,
        started_at=event.started_at,
        ended_at=event.ended_at,
        expires_at=event.expires_at,
        estimated_duration_ms=event.estimated_duration_ms,
        chunk_duration_ms=event.chunk_duration_ms,
        device_id=event.device_id,
        end_user_id=event.end_user_id,
        details_key=event.details_key,
    )


def _chunk_stored(place: dict[str, Any], event: events.ChunkStored) -> forms.ChunkStored:
    return forms.ChunkStored(
        **place,
        number=event.number,
        blob_key=event.blob_key,
        size_bytes=event.size_bytes,
        sha256=event.sha256,
        md5=event.md5,
    )


def _finalize_requested(place: dict[str, Any], event: events.FinalizeRequested) -> forms.FinalizeRequested:
    return forms.FinalizeRequested(
        **place,
        total_chunks=event.total_chunks,
        chunks_received=event.chunks_received,
        final_duration_ms=event.final_duration_ms,
        checksum_md5=event.checksum_md5,
    )


def _stitched(place: dict[str, Any], event: events.Stitched) -> forms.Stitched:
    return forms.Stitched(
        **place,
        blob_key=event.blob_key,
        size_bytes=event.size_bytes,
        sha256=event.sha256,
        content_type=event.content_type,
        codec=event.codec,
        method=event.method,
        duration_ms=event.duration_ms,
        chunk_count=event.chunk_count,
        chunks_md5=event.chunks_md5,
    )


def _transcribed(place: dict[str, Any], event: events.Transcribed) -> forms.Transcribed:
    return forms.Transcribed(
        **place,
        blob_key=event.blob_key,
        size_bytes=event.size_bytes,
        sha256=event.sha256,
        language=event.language,
        engine=event.engine,
        provider=event.provider,
        word_count=event.word_count,
        segment_count=event.segment_count,
        confidence=event.confidence,
        duration_ms=event.duration_ms,
    )


def _failed(place: dict[str, Any], event: events.Failed) -> forms.Failed:
    return forms.Failed(
        **place, stage=event.stage.value, reason=event.reason, message=event.message, attempts=event.attempts
    )


def _retry_requested(place: dict[str, Any], event: events.RetryRequested) -> forms.RetryRequested:
    return forms.RetryRequested(**place, stage=event.stage.value)


PUBLIC_FORMS: dict[type[events.RecordingEvent], Callable[[dict[str, Any], Any], forms.PublicForm]] = {
    events.RecordingOpened: _recording_opened,
    events.ChunkStored: _chunk_stored,
    events.FinalizeRequested: _finalize_requested,
    events.Stitched: _stitched,
    events.Transcribed: _transcribed,
    events.Failed: _failed,
    events.RetryRequested: _retry_requested,
}
