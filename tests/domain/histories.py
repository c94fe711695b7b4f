"""Short words for events and commands, so that a test reads as given, when, then."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain import commands
from domain.events import (
    AmbientSessionEnded,
    AmbientSessionOpened,
    AmbientSessionUpdated,
    ChunkStored,
    ChunkTranscribed,
    ContentErased,
    Damage,
    ErasedPart,
    Failed,
    FinalizePolicy,
    FinalizeRequested,
    NoteEdited,
    NoteOrderBegun,
    NoteOrdered,
    NoteOrderFailed,
    NoteOrderFulfilled,
    NoteTemplate,
    NoteWritten,
    PartHeard,
    RecordingDeleted,
    RecordingEvent,
    RecordingKind,
    RecordingOpened,
    RetryRequested,
    SampleScale,
    Stage,
    Stitched,
    SuspectChunk,
    Transcribed,
    TranscriptionRequested,
)
from domain.life import decide
from domain.recording import Recording, fold

START = datetime(2026, 1, 13, 10, 0, tzinfo=UTC)
EXPIRY = START + timedelta(hours=4)


def given(*events: RecordingEvent) -> Recording | None:
    return fold(events)


def when(recording: Recording | None, command: commands.Command) -> Sequence[RecordingEvent]:
    return decide(recording, command)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def opening(**changes: Any) -> dict[str, Any]:
    return {
        "at": START,
        "dialect": "bota",
        "tenant_id": "proj_1",
        "external_id": "a",
        "kind": RecordingKind.STREAMED,
        "finalize_policy": FinalizePolicy.REJECT,
        "max_chunks": 100,
        "codec": "opus",
        "started_at": None,
        "ended_at": None,
        "expires_at": EXPIRY,
        "estimated_duration_ms": None,
        "chunk_duration_ms": None,
        "device_id": "dev_1",
        "end_user_id": "eu_1",
        "details_key": None,
        "note_wanted": False,
        "language": None,
        "recorded_at": None,
        "source": None,
        "upload_method": None,
        "recording_uuid": None,
        "recording_generation": None,
    } | changes


def opened(**changes: Any) -> RecordingOpened:
    return RecordingOpened(**opening(**changes))


def open_recording(**changes: Any) -> commands.OpenRecording:
    return commands.OpenRecording(**opening(**changes))


NOT_OF_NUMBERED_CHUNKS = {"request_sha256": None, "sample_scale": None}
"""What a `ChunkStored` says only of chunks that are appended."""


def chunk_facts(number: int, body: bytes | None = None, minutes: float = 1) -> dict[str, Any]:
    body = b"chunk %d" % number if body is None else body
    sha256 = hashlib.sha256(body).hexdigest()
    return {
        "at": at(minutes),
        "number": number,
        "blob_key": f"chunk-{number}-{sha256}",
        "size_bytes": len(body),
        "sha256": sha256,
        "md5": hashlib.md5(body).hexdigest(),
    }


def chunk(
    number: int, body: bytes | None = None, *, looks_like: str | None = None, expected: int | None = None
) -> ChunkStored:
    facts = chunk_facts(number, body)
    return ChunkStored(**facts, looks_like=looks_like, expected_bytes=expected, **NOT_OF_NUMBERED_CHUNKS)


def store_chunk(
    number: int,
    body: bytes | None = None,
    *,
    minutes: float = 1,
    looks_like: str | None = None,
    expected: int | None = None,
) -> commands.StoreChunk:
    return commands.StoreChunk(**chunk_facts(number, body, minutes), looks_like=looks_like, expected_bytes=expected)


def placeholder_facts(number: int, about: bytes = b"") -> dict[str, Any]:
    """A chunk of metadata only; its digest is that of the bytes it speaks `about`."""
    return chunk_facts(number, about) | {"blob_key": None, "size_bytes": 0}


def placeholder(number: int, about: bytes = b"") -> ChunkStored:
    return ChunkStored(
        **placeholder_facts(number, about), looks_like=None, expected_bytes=None, **NOT_OF_NUMBERED_CHUNKS
    )


def store_placeholder(number: int, about: bytes = b"") -> commands.StoreChunk:
    return commands.StoreChunk(**placeholder_facts(number, about))


def appended(
    number: int, body: bytes | None = None, *, request: str = "a", scale: SampleScale | None = None
) -> ChunkStored:
    facts = chunk_facts(number, body) | {"looks_like": None, "sample_scale": scale, "expected_bytes": None}
    return ChunkStored(**facts | {"blob_key": f"chunk-{facts['sha256']}"}, request_sha256=request * 64)


def append_chunk(
    body: bytes, *, request: str = "a", is_named: bool = False, is_last: bool = False, minutes: float = 1
) -> commands.AppendChunk:
    facts = chunk_facts(0, body, minutes)
    del facts["number"]
    return commands.AppendChunk(
        **facts | {"blob_key": f"chunk-{facts['sha256']}"},
        request_sha256=request * 64,
        is_named=is_named,
        is_last=is_last,
    )


def heard_facts(number: int, body: bytes | None = None) -> dict[str, Any]:
    return {
        "at": at(1.5),
        "number": number,
        "chunk_sha256": chunk_facts(number, body)["sha256"],
        "blob_key": f"words-{number}",
        "size_bytes": 50,
        "sha256": "f" * 64,
        "language": "en",
        "engine": "pocketsphinx",
        "word_count": 2,
        "duration_ms": 30_000,
    }


def chunk_transcribed(number: int, body: bytes | None = None) -> ChunkTranscribed:
    return ChunkTranscribed(**heard_facts(number, body))


def record_chunk_transcribed(number: int, body: bytes | None = None) -> commands.RecordChunkTranscribed:
    return commands.RecordChunkTranscribed(**heard_facts(number, body))


def part_facts(number: int, last_chunk: int, sound: str = "a") -> dict[str, Any]:
    return {
        "at": at(1.5),
        "number": number,
        "last_chunk": last_chunk,
        "start_ms": (number - 1) * 50_000,
        "duration_ms": 50_000,
        "sound_sha256": sound * 64,
        "blob_key": f"part-{number}-{sound}",
        "size_bytes": 70,
        "sha256": "f" * 64,
        "language": "en",
        "engine": "faster-whisper",
        "word_count": 3,
    }


def part_heard(number: int, last_chunk: int, sound: str = "a") -> PartHeard:
    return PartHeard(**part_facts(number, last_chunk, sound))


def record_part_heard(
    number: int, last_chunk: int, sound: str = "a", *, replacements: int = 0
) -> commands.RecordPartHeard:
    return commands.RecordPartHeard(**part_facts(number, last_chunk, sound), replacements=replacements)


def finalized(
    total: int, *, received: int | None = None, md5: str | None = None, suspects: tuple[SuspectChunk, ...] = ()
) -> FinalizeRequested:
    return FinalizeRequested(
        at=at(2),
        total_chunks=total,
        chunks_received=total if received is None else received,
        final_duration_ms=9_000,
        checksum_md5=md5,
        suspect_chunks=suspects,
        by_itself=False,
    )


def completed_by_itself(body: bytes | None = None) -> FinalizeRequested:
    """Of a file that was chunk 1, or `body`."""
    return FinalizeRequested(
        at=EXPIRY,
        total_chunks=1,
        chunks_received=1,
        final_duration_ms=None,
        checksum_md5=chunk_facts(1, body)["md5"],
        suspect_chunks=(),
        by_itself=True,
    )


def finalize(total: int, *, md5: str | None = None, duration_ms: int = 9_000, minutes: float = 2) -> Any:
    return commands.FinalizeRecording(
        at=at(minutes), total_chunks=total, final_duration_ms=duration_ms, checksum_md5=md5
    )


STITCHED_FACTS: dict[str, Any] = {
    "at": at(3),
    "blob_key": "audio-1",
    "size_bytes": 1_000,
    "sha256": "a" * 64,
    "content_type": "audio/ogg",
    "codec": "opus",
    "method": "remuxed",
    "duration_ms": 9_000,
    "chunk_count": 2,
    "chunks_md5": "b" * 32,
    "damage": (),
}
TRANSCRIBED_FACTS: dict[str, Any] = {
    "at": at(4),
    "blob_key": "transcript-1",
    "size_bytes": 100,
    "sha256": "c" * 64,
    "language": "en",
    "engine": "pocketsphinx",
    "provider": None,
    "word_count": 3,
    "segment_count": 1,
    "confidence": 0.9,
    "duration_ms": 9_000,
}


def damaged(number: int) -> Damage:
    return Damage(chunk_number=number, reason="damaged", message=f"Chunk {number} cannot be decoded.")


def stitched(*damage: Damage) -> Stitched:
    return Stitched(**STITCHED_FACTS | {"damage": damage})


def record_stitched(*damage: Damage, edition: int = 0) -> commands.RecordStitched:
    return commands.RecordStitched(**STITCHED_FACTS | {"damage": damage}, edition=edition)


def transcribed(language: str = "en") -> Transcribed:
    return Transcribed(**TRANSCRIBED_FACTS | {"language": language})


def record_transcribed(language: str = "en", *, edition: int = 0) -> commands.RecordTranscribed:
    return commands.RecordTranscribed(**TRANSCRIBED_FACTS | {"language": language}, edition=edition)


def request_transcription(language: str | None = None, provider: str | None = None) -> commands.RequestTranscription:
    return commands.RequestTranscription(at=at(4.5), language=language, provider=provider, language_otherwise="en")


def transcription_requested(
    language: str | None = None, provider: str | None = None, *, is_anew: bool = False
) -> TranscriptionRequested:
    return TranscriptionRequested(at=at(4.5), language=language, provider=provider, is_anew=is_anew)


NOTE_FACTS: dict[str, Any] = {
    "at": at(5),
    "blob_key": "note-1",
    "size_bytes": 100,
    "sha256": "d" * 64,
    "language": "en",
    "engine": "extractive",
    "fallback_reason": None,
    "unsupported_share": None,
}


def note_written() -> NoteWritten:
    return NoteWritten(**NOTE_FACTS)


def record_note(*, edition: int = 0) -> commands.RecordNote:
    return commands.RecordNote(**NOTE_FACTS, edition=edition)


EDIT_FACTS: dict[str, Any] = {"at": at(6), "size_bytes": 70, "author": "dr-1", "key_id": "key1"}


def note_edited(number: int = 1, words: str = "b", *, author: str = "dr-1") -> NoteEdited:
    """`words`: one hex digit that stands for what the note says."""
    return NoteEdited(**EDIT_FACTS | {"author": author}, **edited_blob(words), number=number)


def edit_note(words: str = "b", *, author: str = "dr-1", seen: Iterable[str] | None = None) -> commands.EditNote:
    facts = EDIT_FACTS | {"author": author} | edited_blob(words)
    return commands.EditNote(**facts, seen=None if seen is None else frozenset(seen))


def edited_blob(words: str) -> dict[str, Any]:
    return {"blob_key": f"edited-note-{words}", "sha256": words * 64}


def failure_facts(stage: Stage, reason: str = "not_audio") -> dict[str, Any]:
    return {"at": at(5), "stage": stage, "reason": reason, "message": "Chunk 1 is not audio.", "attempts": 1}


def failed(stage: Stage, reason: str = "not_audio") -> Failed:
    return Failed(**failure_facts(stage, reason))


def record_failure(stage: Stage, *, edition: int = 0) -> commands.RecordFailure:
    return commands.RecordFailure(**failure_facts(stage), edition=edition)


def retry_requested(stage: Stage) -> RetryRequested:
    return RetryRequested(at=at(6), stage=stage)


def expired(arrived: str = "nothing of it arrived") -> Failed:
    message = f"The recording was not completed before its time was over: {arrived}."
    return Failed(at=EXPIRY, stage=Stage.UPLOAD, reason="expired", message=message, attempts=1)


def expire(moment: datetime = EXPIRY) -> commands.ExpireRecording:
    return commands.ExpireRecording(at=moment)


def content_erased(part: ErasedPart, size_bytes: int, *, until: float | None = None) -> ContentErased:
    """`until`: of superseded bytes, those that were so at that minute."""
    superseded_until = None if until is None else at(until)
    return ContentErased(at=at(400), part=part, size_bytes=size_bytes, superseded_until=superseded_until)


def erase(part: ErasedPart, *, until: float | None = None) -> commands.EraseContent:
    return commands.EraseContent(at=at(400), part=part, superseded_until=None if until is None else at(until))


def deleted() -> RecordingDeleted:
    return RecordingDeleted(at=at(7))


def delete() -> commands.DeleteRecording:
    return commands.DeleteRecording(at=at(7))


def retry() -> commands.RetryRecording:
    return commands.RetryRecording(at=at(6))


def session_opened(**changes: Any) -> AmbientSessionOpened:
    facts = {
        "at": START,
        "dialect": "dragon",
        "tenant_id": "proj_1",
        "correlation_id": "visit-1",
        "partner_id": "9b7d4a52-1c2d-4e3f-8a9b-0c1d2e3f4a5b",
        "product_id": "5f0c8d31-6a7b-4c8d-9e0f-1a2b3c4d5e6f",
        "external_user_id": "dr-1",
        "ehr_instance_id": "ehr-1",
        "details_key": "data-1",
    }
    return AmbientSessionOpened(**(facts | changes))


def session_updated() -> AmbientSessionUpdated:
    facts = session_opened().model_dump(include={"product_id", "external_user_id", "ehr_instance_id", "details_key"})
    return AmbientSessionUpdated(at=at(1), **facts)


def session_ended() -> AmbientSessionEnded:
    return AmbientSessionEnded(at=at(2))


RECORDING_OF_ORDER = UUID("0b7a1bd2-9e35-5e0f-8f53-0f6f4d0a4f11")
ORDER_FACTS: dict[str, Any] = {
    "dialect": "bota",
    "tenant_id": "proj_1",
    "recording_id": RECORDING_OF_ORDER,
    "transcript_key": "transcript-1",
    "transcript_sha256": "c" * 64,
    "template": NoteTemplate.GENERAL,
    "prompt_key": None,
    "provider": "gemini",
}
"""Of an order by a template; `BY_PROMPT` makes it one by a prompt."""

BY_PROMPT: dict[str, Any] = {"template": None, "prompt_key": "prompt-1"}


def note_ordered(**changes: Any) -> NoteOrdered:
    return NoteOrdered(**{"at": START} | ORDER_FACTS | changes)


def note_order_begun() -> NoteOrderBegun:
    return NoteOrderBegun(at=at(1))


def note_order_fulfilled() -> NoteOrderFulfilled:
    return NoteOrderFulfilled(**NOTE_FACTS | {"at": at(2)})


ORDER_FAILURE_FACTS: dict[str, Any] = {
    "at": at(2),
    "reason": "transcript_too_short",
    "message": "The transcript has no words.",
    "attempts": 1,
}


def note_order_failed() -> NoteOrderFailed:
    return NoteOrderFailed(**ORDER_FAILURE_FACTS)
