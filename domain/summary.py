"""What a status query returns: one recording's newest facts in one flat row, folded from the same events.

Unlike `Recording` it does not know single chunks, so a row costs the same to keep whatever was uploaded; only of chunks
that cannot be audio it knows the first hundred.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from domain.events import (
    MOST_SUSPECTS,
    ChunkStored,
    ChunkTranscribed,
    ContentErased,
    ErasedPart,
    Failed,
    FinalizeRequested,
    NoteEdited,
    NoteWritten,
    PartHeard,
    RecordingDeleted,
    RecordingEvent,
    RecordingKind,
    RecordingOpened,
    RetryRequested,
    Stage,
    Stitched,
    SuspectChunk,
    Transcribed,
    TranscriptionRequested,
)
from domain.recording import CorruptHistory


class Standing(StrEnum):
    """A recording's status, as queries see it; each dialect has its own words for these."""

    OPEN = "open"
    FINALIZED = "finalized"
    STITCHED = "stitched"
    TRANSCRIBED = "transcribed"
    COMPLETED = "completed"
    FAILED = "failed"
    DELETED = "deleted"


class RecordingSummary(BaseModel):
    """A recording as queries see it. Times are aware UTC datetimes; what is unknown is None.

    `has_bytes`: whether any chunk with bytes is stored, or was until it was stitched. `file`: the newest one, of a
    recording that is one file. `edited`: the last edit of the note.
    """

    model_config = ConfigDict(frozen=True)

    dialect: str
    tenant_id: str
    external_id: str
    kind: RecordingKind
    standing: Standing
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    max_chunks: int
    codec: str | None
    started_at: datetime | None
    ended_at: datetime | None
    device_id: str | None
    end_user_id: str | None
    details_key: str | None
    note_wanted: bool
    language_wanted: str | None
    recorded_at: datetime | None
    source: str | None
    upload_method: str | None
    recording_uuid: str | None
    recording_generation: int | None
    provider_wanted: str | None = None
    has_bytes: bool = False
    file: ChunkStored | None = None
    total_chunks: int | None = None
    final_duration_ms: int | None = None
    finalized_at: datetime | None = None
    stitched: Stitched | None = None
    transcribed: Transcribed | None = None
    note: NoteWritten | None = None
    edited: NoteEdited | None = None
    failed: Failed | None = None
    suspect_chunks: tuple[SuspectChunk, ...] = ()


def evolve_summary(summary: RecordingSummary | None, event: RecordingEvent) -> RecordingSummary:
    """The row after one event. Raises: CorruptHistory if the first event is not RecordingOpened."""
    if type(event) is RecordingOpened:
        return _opened(event)
    if summary is None:
        raise CorruptHistory(f"{type(event).__name__} cannot be the first event of a recording")
    changes = _CHANGES[type(event)](summary, event)
    return summary.model_copy(update={"updated_at": event.at, **changes})


def _opened(event: RecordingOpened) -> RecordingSummary:
    return RecordingSummary(
        dialect=event.dialect,
        tenant_id=event.tenant_id,
        external_id=event.external_id,
        kind=event.kind,
        standing=Standing.OPEN,
        created_at=event.at,
        updated_at=event.at,
        expires_at=event.expires_at,
        max_chunks=event.max_chunks,
        codec=event.codec,
        started_at=event.started_at,
        ended_at=event.ended_at,
        device_id=event.device_id,
        end_user_id=event.end_user_id,
        details_key=event.details_key,
        note_wanted=event.note_wanted,
        language_wanted=event.language,
        recorded_at=event.recorded_at,
        source=event.source,
        upload_method=event.upload_method,
        recording_uuid=event.recording_uuid,
        recording_generation=event.recording_generation,
    )


def _chunk_stored(summary: RecordingSummary, event: ChunkStored) -> dict[str, Any]:
    if event.blob_key is None:
        return _suspects(summary, event)
    file = {"file": event} if summary.kind is RecordingKind.WHOLE_FILE else {}
    return {"has_bytes": True, **file, **_suspects(summary, event)}


def _suspects(summary: RecordingSummary, event: ChunkStored) -> dict[str, Any]:
    if event.looks_like is None and not summary.suspect_chunks:
        return {}
    suspects = {
        suspect.number: suspect.looks_like for suspect in summary.suspect_chunks if suspect.number != event.number
    }
    if event.looks_like is not None:
        suspects[event.number] = event.looks_like
    return {"suspect_chunks": tuple(SuspectChunk(*suspect) for suspect in sorted(suspects.items())[:MOST_SUSPECTS])}


def _chunk_transcribed(_: RecordingSummary, __: ChunkTranscribed) -> dict[str, Any]:
    return {}


def _part_heard(_: RecordingSummary, __: PartHeard) -> dict[str, Any]:
    return {}


def _finalize_requested(_: RecordingSummary, event: FinalizeRequested) -> dict[str, Any]:
    return {
        "standing": Standing.FINALIZED,
        "total_chunks": event.total_chunks,
        "final_duration_ms": event.final_duration_ms,
        "finalized_at": event.at,
        "suspect_chunks": event.suspect_chunks,
    }


def _stitched(_: RecordingSummary, event: Stitched) -> dict[str, Any]:
    return {"standing": Standing.STITCHED, "stitched": event}


def _transcribed(summary: RecordingSummary, event: Transcribed) -> dict[str, Any]:
    standing = Standing.TRANSCRIBED if summary.note_wanted else Standing.COMPLETED
    return {"standing": standing, "transcribed": event}


def _note_written(_: RecordingSummary, event: NoteWritten) -> dict[str, Any]:
    return {"standing": Standing.COMPLETED, "note": event}


def _note_edited(_: RecordingSummary, event: NoteEdited) -> dict[str, Any]:
    return {"edited": event}


def _failed(_: RecordingSummary, event: Failed) -> dict[str, Any]:
    return {"standing": Standing.FAILED, "failed": event}


_STANDING_AT_RETRY = {
    Stage.STITCH: Standing.FINALIZED,
    Stage.TRANSCRIBE: Standing.STITCHED,
    Stage.NOTE: Standing.TRANSCRIBED,
}


def _retry_requested(_: RecordingSummary, event: RetryRequested) -> dict[str, Any]:
    nothing = dict.fromkeys(("stitched", "transcribed", "note", "edited"))
    made_anew = nothing if event.stage is Stage.STITCH else {}
    return {"standing": _STANDING_AT_RETRY[event.stage], "failed": None, **made_anew}


def _transcription_requested(summary: RecordingSummary, event: TranscriptionRequested) -> dict[str, Any]:
    wanted = {"language_wanted": event.language or summary.language_wanted, "provider_wanted": event.provider}
    anew = {"standing": Standing.STITCHED, **dict.fromkeys(("transcribed", "note", "edited", "failed"))}
    return wanted | anew if event.is_anew else wanted


def _content_erased(summary: RecordingSummary, event: ContentErased) -> dict[str, Any]:
    """The service did this by itself: nothing that was made of the recording is newer for it."""
    of_everything = {"has_bytes": False, "details_key": None} if event.part is ErasedPart.EVERYTHING else {}
    return {"updated_at": summary.updated_at, **of_everything}


def _deleted(_: RecordingSummary, __: RecordingDeleted) -> dict[str, Any]:
    return {"standing": Standing.DELETED}


_CHANGES: dict[type[RecordingEvent], Callable[[RecordingSummary, Any], dict[str, Any]]] = {
    ChunkStored: _chunk_stored,
    ChunkTranscribed: _chunk_transcribed,
    PartHeard: _part_heard,
    FinalizeRequested: _finalize_requested,
    Stitched: _stitched,
    Transcribed: _transcribed,
    NoteWritten: _note_written,
    NoteEdited: _note_edited,
    Failed: _failed,
    RetryRequested: _retry_requested,
    TranscriptionRequested: _transcription_requested,
    ContentErased: _content_erased,
    RecordingDeleted: _deleted,
}
