"""Bota's words for a recording and its transcription (P): every field there, null where nothing is known."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from adapters.speech.transcript import Transcript
from domain.recording import Recording
from domain.summary import RecordingSummary, Standing
from service.api.bota.identifiers import public_recording_id, public_transcription_id, stitching_job_id
from service.api.json_answers import utc_text

STATUS = {
    Standing.OPEN: "streaming",
    Standing.FINALIZED: "uploaded",
    Standing.STITCHED: "processing",
    Standing.TRANSCRIBED: "processing",
    Standing.COMPLETED: "completed",
    Standing.FAILED: "failed",
}
TRANSCRIPTION_STATUS_OF_RECORDING = {
    Standing.OPEN: None,
    Standing.FINALIZED: "queued",
    Standing.STITCHED: "processing",
    Standing.TRANSCRIBED: "completed",
    Standing.COMPLETED: "completed",
    Standing.FAILED: "failed",
}
STATUS_OF_TRANSCRIPTION = TRANSCRIPTION_STATUS_OF_RECORDING | {Standing.FINALIZED: "pending"}
INTEGRITY_FAILURE = "integrity_failure"

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

JsonObject = dict[str, Any]


def recording_object(recording_id: UUID, summary: RecordingSummary, details: bytes | None) -> JsonObject:
    """`details`: the blob of the client's free text, if it sent any."""
    said: JsonObject = orjson.loads(details) if details else {}
    stitched, failed = summary.stitched, summary.failed
    duration_ms = stitched.duration_ms if stitched else summary.final_duration_ms
    has_transcription = summary.finalized_at is not None
    return {
        "id": public_recording_id(recording_id),
        "project_id": summary.tenant_id,
        "device_id": summary.device_id,
        "end_user_id": summary.end_user_id,
        "name": said.get("name"),
        "source": "device" if summary.device_id else "api_upload",
        "status": recording_status(summary),
        "duration_ms": duration_ms,
        "duration_seconds": None if duration_ms is None else round(duration_ms / 1000),
        "file_size_bytes": stitched.size_bytes if stitched else None,
        "mime_type": stitched.content_type if stitched else MEDIA_TYPES.get(summary.codec or ""),
        "started_at": utc_text(summary.started_at),
        "ended_at": utc_text(summary.ended_at),
        "recorded_at": utc_text(summary.started_at),
        "transcription_id": public_transcription_id(recording_id) if has_transcription else None,
        "transcription_status": _transcription_status(summary, TRANSCRIPTION_STATUS_OF_RECORDING),
        "content_sha256": stitched.sha256 if stitched else None,
        "content_sha256_verified_at": utc_text(stitched.at) if stitched else None,
        "metadata": said.get("metadata") or {},
        "media": [],
        "failure": None
        if failed is None
        else {"stage": failed.stage, "reason": failed.reason, "message": failed.message, "at": utc_text(failed.at)},
        "created_at": utc_text(summary.created_at),
        "updated_at": utc_text(summary.updated_at),
        "uploaded_at": utc_text(summary.finalized_at),
        "deleted_at": None,
        **_names_elsewhere(summary),
    }


def _names_elsewhere(summary: RecordingSummary) -> JsonObject:
    """(D) What a recording that came by another dialect is called there; Bota's own have no such fields."""
    return {} if summary.dialect == "bota" else {"dialect": summary.dialect, "external_id": summary.external_id}


def recording_status(summary: RecordingSummary) -> str:
    if summary.failed is not None and summary.failed.reason == INTEGRITY_FAILURE:
        return INTEGRITY_FAILURE
    return STATUS[summary.standing]


def _transcription_status(summary: RecordingSummary, words: Mapping[Standing, str | None]) -> str | None:
    """A recording that never got to its transcription has none; a note that failed does not undo a transcript."""
    if summary.finalized_at is None:
        return None
    return "completed" if summary.transcribed else words[summary.standing]


def transcription_object(recording_id: UUID, summary: RecordingSummary, transcript: Transcript | None) -> JsonObject:
    """`transcript`: the blob's content once there is one. Times of segments in seconds."""
    transcribed, failed = summary.transcribed, summary.failed
    text = transcript.text if transcript else None
    return {
        "id": public_transcription_id(recording_id),
        "recording_id": public_recording_id(recording_id),
        "status": _transcription_status(summary, STATUS_OF_TRANSCRIPTION),
        "language": transcribed.language if transcribed else None,
        "provider": transcribed.provider if transcribed else None,
        "engine": transcribed.engine if transcribed else None,
        "duration_ms": transcribed.duration_ms if transcribed else None,
        "text": text,
        "full_text": text,
        "segments": [
            {
                "start": segment.start,
                "end": segment.end,
                "text": segment.text,
                "speaker": segment.speaker,
                "confidence": segment.confidence,
            }
            for segment in (transcript.segments if transcript else ())
        ],
        "word_count": transcribed.word_count if transcribed else None,
        "confidence": transcribed.confidence if transcribed else None,
        "error": failed.message if failed else None,
        "created_at": utc_text(summary.finalized_at),
        "started_at": utc_text(summary.stitched.at) if summary.stitched else None,
        "completed_at": utc_text(transcribed.at) if transcribed else None,
        "updated_at": utc_text(summary.updated_at),
    }


def finalize_answer(recording_id: UUID, recording: Recording) -> JsonObject:
    """Computed from FinalizeRequested alone, so it is the same for ever (S)."""
    finalized = recording.finalized
    if finalized is None:
        raise ValueError("only a finalized recording has this answer")
    return {
        "id": public_recording_id(recording_id),
        "status": "uploaded",
        "transcription_status": "queued",
        "chunks_received": finalized.chunks_received,
        "stitching_job_id": stitching_job_id(recording_id),
    }


def chunk_objects(recording: Recording) -> list[JsonObject]:
    return [
        {
            "number": chunk.number,
            "size_bytes": chunk.size_bytes,
            "sha256": chunk.sha256,
            "md5": chunk.md5,
            "uploaded_at": utc_text(chunk.at),
        }
        for chunk in recording.chunks.in_order()
    ]
