"""Bota's words for a recording and its transcription (P): every field is there, null if nothing is known."""

from collections.abc import Mapping, Sequence
from typing import cast
from uuid import UUID

from adapters.audio.media_types import UNKNOWN
from adapters.speech.transcript import Transcript
from domain.events import INTEGRITY_FAILURE, Damage, RecordingKind, SuspectChunk
from domain.recording import Recording
from domain.summary import RecordingSummary, Standing
from service.application.exact_json import exact_loads
from service.dialects.bota.answers import (
    ChunkAnswer,
    DamageAnswer,
    FailureAnswer,
    FinalizedAnswer,
    MediaAnswer,
    RecordingAnswer,
    RecordingStatus,
    SegmentAnswer,
    Source,
    SuspectChunkAnswer,
    TranscriptionAnswer,
    TranscriptionStatus,
    TranscriptionStatusOfRecording,
)
from service.dialects.bota.errors import failure_told
from service.dialects.bota.identifiers import (
    DIALECT,
    public_media_id,
    public_recording_id,
    public_transcription_id,
    stitching_job_id,
)
from service.dialects.http.json_answers import utc_text
from service.dialects.http.stored_chunks import damage_told

STATUS: Mapping[Standing, RecordingStatus] = {
    Standing.FINALIZED: "uploaded",
    Standing.COMPLETED: "completed",
    Standing.FAILED: "failed",
    Standing.DELETED: "failed",
}
"""For a recording that is not open; "processing" in between, whichever stage it is in."""

TRANSCRIPTION_STATUS_OF_RECORDING: Mapping[Standing, TranscriptionStatusOfRecording] = {
    Standing.FINALIZED: "queued",
    Standing.STITCHED: "processing",
    Standing.TRANSCRIBED: "completed",
    Standing.COMPLETED: "completed",
    Standing.FAILED: "failed",
}
STATUS_OF_TRANSCRIPTION: Mapping[TranscriptionStatusOfRecording, TranscriptionStatus] = {
    "queued": "pending",
    "processing": "processing",
    "completed": "completed",
    "failed": "failed",
}

MEDIA_TYPES = {
    "opus": "audio/ogg",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "aac": "audio/aac",
    "m4a": "audio/mp4",
    "webm": "audio/webm",
}


def recording_answer(
    recording_id: UUID, summary: RecordingSummary, details: bytes | None, *, file_type: str | None = None
) -> RecordingAnswer:
    """`details`: the blob of the client's free text, if it sent any. `file_type`: the media type of a whole file that
    is not stitched yet."""
    said = exact_loads(details) if details else {}
    stitched, failed = summary.stitched, summary.failed
    duration_ms = duration_of(summary)
    content = stitched or (summary.file if summary.finalized_at else None)
    mime_type = stitched.content_type if stitched else file_type or MEDIA_TYPES.get(summary.codec or "")
    stitched_at = stitched.at if stitched else None
    verified_at = summary.finalized_at if summary.kind is RecordingKind.WHOLE_FILE else stitched_at
    return RecordingAnswer(
        id=public_recording_id(recording_id),
        project_id=summary.tenant_id,
        device_id=summary.device_id,
        end_user_id=summary.end_user_id,
        name=said.get("name"),
        source=_source(summary),
        upload_method=summary.upload_method,
        status=recording_status(summary),
        duration_ms=duration_ms,
        duration_seconds=None if duration_ms is None else round(duration_ms / 1000),
        file_size_bytes=content.size_bytes if content else None,
        mime_type=mime_type,
        started_at=utc_text(summary.started_at),
        ended_at=utc_text(summary.ended_at),
        recorded_at=utc_text(summary.recorded_at),
        transcription_id=None if summary.finalized_at is None else public_transcription_id(recording_id),
        transcription_status=_transcription_status(summary),
        content_sha256=content.sha256 if content else None,
        content_sha256_verified_at=utc_text(verified_at) if content else None,
        metadata=said.get("metadata") or {},
        media=_media(recording_id, summary, mime_type),
        failure=None
        if failed is None
        else FailureAnswer(
            stage=failed.stage, reason=failed.reason, message=failure_told(summary, failed), at=utc_text(failed.at)
        ),
        created_at=utc_text(summary.created_at),
        updated_at=utc_text(summary.updated_at),
        uploaded_at=utc_text(summary.finalized_at),
        deleted_at=None,
        recording_uuid=summary.recording_uuid,
        recording_generation=summary.recording_generation,
        suspect_chunks=_suspect_chunks(summary.suspect_chunks),
        damage=damage_answers(summary),
        **_names_elsewhere(summary),
    )


def duration_of(summary: RecordingSummary) -> int | None:
    """What was measured, or else what the client said."""
    return summary.stitched.duration_ms if summary.stitched else summary.final_duration_ms


def _source(summary: RecordingSummary) -> Source:
    """As the client said when it created the recording, or else by whether it is a device's."""
    if summary.source in ("device", "api_upload"):
        return cast(Source, summary.source)
    return "device" if summary.device_id else "api_upload"


def _media(recording_id: UUID, summary: RecordingSummary, mime_type: str | None) -> list[MediaAnswer]:
    """(D) The audio, once there is any: a whole file from its PUT on, `uploaded` when that is completed; what was
    streamed from its stitching on."""
    stitched, file = summary.stitched, summary.file
    content = stitched or file
    if content is None:
        return []
    arrived_at = file.at if file else summary.finalized_at or content.at
    return [
        MediaAnswer(
            id=public_media_id(recording_id),
            type="audio",
            mime_type=mime_type or UNKNOWN,
            file_size_bytes=content.size_bytes,
            status="uploaded" if summary.finalized_at else "pending",
            captured_at=utc_text(summary.recorded_at),
            created_at=utc_text(arrived_at),
        )
    ]


def _suspect_chunks(suspects: Sequence[SuspectChunk]) -> list[SuspectChunkAnswer] | None:
    return [SuspectChunkAnswer(number=one.number, looks_like=one.looks_like) for one in suspects] or None


def _names_elsewhere(summary: RecordingSummary) -> dict[str, str]:
    """(D) The other dialect's names for a recording that came by it; Bota's own recordings have no such fields."""
    return {} if summary.dialect == DIALECT else {"dialect": summary.dialect, "external_id": summary.external_id}


def recording_status(summary: RecordingSummary) -> RecordingStatus:
    """The status shown in the object and asked for in lists."""
    if summary.failed is not None and summary.failed.reason == INTEGRITY_FAILURE:
        return INTEGRITY_FAILURE
    if summary.standing is Standing.OPEN:
        return "pending" if summary.kind is RecordingKind.WHOLE_FILE else "streaming"
    return STATUS.get(summary.standing, "processing")


def _transcription_status(summary: RecordingSummary) -> TranscriptionStatusOfRecording | None:
    """A recording that never got as far as its transcription has none; a failed note does not undo a transcript."""
    if summary.finalized_at is None:
        return None
    return "completed" if summary.transcribed else TRANSCRIPTION_STATUS_OF_RECORDING.get(summary.standing)


def transcription_answer(
    recording_id: UUID, summary: RecordingSummary, transcript: Transcript | None
) -> TranscriptionAnswer:
    """For a finalized recording. `transcript`: the blob's content once there is one. Times of segments in seconds."""
    finalized_at, status = summary.finalized_at, _transcription_status(summary)
    if finalized_at is None or status is None:
        raise ValueError("only a finalized recording has a transcription")
    transcribed, failed = summary.transcribed, summary.failed
    text = transcript.text if transcript else None
    return TranscriptionAnswer.model_validate(
        {
            "id": public_transcription_id(recording_id),
            "project_id": summary.tenant_id,
            "recording_id": public_recording_id(recording_id),
            "status": STATUS_OF_TRANSCRIPTION[status],
            "language": transcribed.language if transcribed else summary.language_wanted,
            "provider": summary.provider_wanted or (transcribed.provider if transcribed else None),
            "engine": transcribed.engine if transcribed else None,
            "duration_ms": transcribed.duration_ms if transcribed else None,
            "text": text,
            "full_text": text,
            "segments": [
                SegmentAnswer(
                    start=segment.start,
                    end=segment.end,
                    text=segment.text,
                    speaker=segment.speaker,
                    confidence=segment.confidence,
                )
                for segment in (transcript.segments if transcript else ())
            ],
            "word_count": transcribed.word_count if transcribed else None,
            "confidence": transcribed.confidence if transcribed else None,
            "error": failed.message if failed else None,
            "created_at": utc_text(finalized_at),
            "started_at": utc_text(summary.stitched.at) if summary.stitched else None,
            "completed_at": utc_text(transcribed.at) if transcribed else None,
            "updated_at": utc_text(summary.updated_at),
        }
    )


def finalize_answer(recording_id: UUID, recording: Recording) -> FinalizedAnswer:
    """Computed from FinalizeRequested alone, so it never changes (S)."""
    finalized = recording.finalized
    if finalized is None:
        raise ValueError("only a finalized recording has this answer")
    return FinalizedAnswer(
        id=public_recording_id(recording_id),
        status="uploaded",
        transcription_status="queued",
        chunks_received=finalized.chunks_received,
        stitching_job_id=stitching_job_id(recording_id),
        suspect_chunks=_suspect_chunks(finalized.suspect_chunks),
    )


def chunk_answers(recording: Recording) -> list[ChunkAnswer]:
    return [
        ChunkAnswer(
            number=chunk.number,
            size_bytes=chunk.size_bytes,
            sha256=chunk.sha256,
            md5=chunk.md5,
            uploaded_at=utc_text(chunk.at),
            looks_like=chunk.looks_like,
            damage=_damage_answer(damage) if (damage := damage_told(recording, chunk)) else None,
        )
        for chunk in recording.chunks.in_order()
    ]


def damage_answers(summary: RecordingSummary) -> list[DamageAnswer]:
    """(D) The chunks that could not be used."""
    return [_damage_answer(damage) for damage in summary.stitched.damage] if summary.stitched else []


def _damage_answer(damage: Damage) -> DamageAnswer:
    return DamageAnswer(number=damage.chunk_number, reason=damage.reason, message=damage.message)
