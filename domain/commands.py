"""What can be asked of a recording. A command carries the time of its decision, so that deciding needs no clock."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from domain.events import (
    Damage,
    ErasedPart,
    FinalizePolicy,
    NoteWritten,
    RecordingEvent,
    RecordingKind,
    SampleScale,
    Stage,
    Stitched,
    Transcribed,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A request to change something. `at`: an aware UTC datetime."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRecording(Command):
    dialect: str
    tenant_id: str
    external_id: str
    kind: RecordingKind
    finalize_policy: FinalizePolicy
    max_chunks: int
    expires_at: datetime
    codec: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    estimated_duration_ms: int | None = None
    chunk_duration_ms: int | None = None
    device_id: str | None = None
    end_user_id: str | None = None
    details_key: str | None = None
    note_wanted: bool = False
    language: str | None = None
    recorded_at: datetime | None = None
    source: str | None = None
    upload_method: str | None = None
    recording_uuid: str | None = None
    recording_generation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreChunk(Command):
    """The blob is already durable; this makes it the recording's. Without a `blob_key` the chunk is metadata only.

    `looks_like`: what it is, if it cannot be audio by its first bytes. `expected_bytes`: how many bytes the caller said
    that there would be. `most_bytes`: how many the recording may have with it; None for no limit.
    """

    number: int
    blob_key: str | None
    size_bytes: int
    sha256: str
    md5: str
    looks_like: str | None = None
    expected_bytes: int | None = None
    most_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendChunk(Command):
    """The blob is already durable; this makes it the recording's next chunk and, with `is_last`, its last one.

    `request_sha256`: identifies the request when it is repeated. A request with a name of its own (`is_named`) is
    recognized at any later time, any other only right after itself. `most_bytes`: how many the recording may have with
    it; None for no limit.
    """

    blob_key: str
    size_bytes: int
    sha256: str
    md5: str
    request_sha256: str
    is_named: bool
    is_last: bool
    sample_scale: SampleScale | None = None
    most_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChunkTranscribed(Command):
    number: int
    chunk_sha256: str
    blob_key: str
    size_bytes: int
    sha256: str
    language: str
    engine: str
    word_count: int
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPartHeard(Command):
    """The fields are those of `PartHeard`. `replacements`: the recording's, when the chunks were read."""

    number: int
    last_chunk: int
    start_ms: int
    duration_ms: int
    sound_sha256: str
    blob_key: str
    size_bytes: int
    sha256: str
    language: str
    engine: str
    word_count: int
    replacements: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalizeRecording(Command):
    total_chunks: int
    final_duration_ms: int | None = None
    checksum_md5: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndStage(Command):
    """A stage has done its work. The command's fields are those of the stage's event.

    `edition`: which edition of the chunks the work was begun for.
    """

    stage: ClassVar[Stage]
    event: ClassVar[type[RecordingEvent]]

    edition: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStitched(EndStage):
    stage = Stage.STITCH
    event = Stitched

    blob_key: str
    size_bytes: int
    sha256: str
    content_type: str
    codec: str
    method: str
    duration_ms: int
    chunk_count: int
    chunks_md5: str
    damage: tuple[Damage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTranscribed(EndStage):
    stage = Stage.TRANSCRIBE
    event = Transcribed

    blob_key: str
    size_bytes: int
    sha256: str
    language: str
    engine: str
    provider: str | None
    word_count: int
    segment_count: int
    confidence: float | None
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordNote(EndStage):
    stage = Stage.NOTE
    event = NoteWritten

    blob_key: str
    size_bytes: int
    sha256: str
    language: str
    engine: str
    fallback_reason: str | None = None
    unsupported_share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditNote(Command):
    """The blob is already durable; this makes it the recording's note. The fields are those of the event.

    `seen`: the versions of the note (`Recording.note_version`) that the author may have seen, one of which must be
    there still; None for any. `unlike`: the versions that must not be there; None for any. `draft`: the version of the
    writer's own note that the words' sources were looked up in, which must be the one that there is; None for any.
    """

    blob_key: str
    size_bytes: int
    sha256: str
    author: str
    key_id: str
    seen: frozenset[str] | None = None
    unlike: frozenset[str] | None = frozenset()
    draft: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFailure(Command):
    """A stage was given up. `edition`: as in `EndStage`."""

    stage: Stage
    reason: str
    message: str
    attempts: int
    edition: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRecording(Command):
    """Resume a failed recording at the stage that failed, or stitch one anew whose chunks were replaced since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTranscription(Command):
    """Have the recording's words in `language`, if any is given. `provider`: who is wished to recognize them.

    `language_otherwise`: which language is used where nobody has asked for one.
    """

    language: str | None
    provider: str | None
    language_otherwise: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireRecording(Command):
    """Close a recording that was never completed, if it has expired; or complete it, if it is a file that has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseContent(Command):
    """Note that bytes are no longer kept. `superseded_until`: of superseded bytes, those that were so until then; if it
    is not given, all of them.
    """

    part: ErasedPart
    superseded_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRecording(Command):
    """Delete the recording for everyone; only its history stays."""
