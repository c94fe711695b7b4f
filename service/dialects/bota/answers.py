"""What Bota's API answers, as models (P, S): every field is always there, null where nothing is known.

Times are ISO 8601 texts in UTC with milliseconds and Z.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel

from service.dialects.http.notes import NoteFields, VersionAnswer

RecordingStatus = Literal["pending", "streaming", "uploaded", "processing", "completed", "failed", "integrity_failure"]
Source = Literal["device", "api_upload"]
TranscriptionStatusOfRecording = Literal["queued", "processing", "completed", "failed"]
TranscriptionStatus = Literal["pending", "processing", "completed", "failed"]
DeliveryStatus = Literal["pending", "delivered", "failed"]
EventType = Literal[
    "recording.created",
    "recording.uploaded",
    "recording.deleted",
    "transcription.queued",
    "transcription.started",
    "transcription.completed",
    "transcription.failed",
    "summary.started",
    "summary.completed",
    "summary.failed",
    "note.edited",
]

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, pattern=r"Z$")]
RecordingId = Annotated[str, Field(pattern=r"^rec_[A-Za-z0-9]{1,60}$")]
MediaId = Annotated[str, Field(pattern=r"^med_[A-Za-z0-9]{1,60}$")]
TranscriptionId = Annotated[str, Field(pattern=r"^txn_[A-Za-z0-9]{1,60}$")]
WebhookId = Annotated[str, Field(pattern=r"^wh_[A-Za-z0-9]{1,61}$")]
EventId = Annotated[str, Field(pattern=r"^evt_[A-Za-z0-9]{1,60}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
WhereKnown = Field(exclude_if=lambda value: value is None)
Item = TypeVar("Item")


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ListAnswer(Answer, Generic[Item]):
    """A page of a list, newest first; `next_cursor` asks for the next one."""

    data: list[Item]
    has_more: bool
    next_cursor: str | None


class FailureAnswer(Answer):
    """Why a recording failed (D): at which stage, a code, a sentence."""

    stage: str
    reason: str
    message: str
    at: Time


class NoteAnswer(NoteFields):
    """The note of a recording (D), or one of its versions."""

    recording_id: RecordingId


class NoteVersionsAnswer(Answer):
    """The versions of a note (D), oldest first."""

    recording_id: RecordingId
    data: list[VersionAnswer]


class DamageAnswer(Answer):
    """A chunk that could not be used (D), in whole or in part: its number, a code, a sentence."""

    number: Annotated[int, Field(ge=1)]
    reason: str
    message: str


OfOthers = Annotated[str | None, Field(exclude_if=lambda value: value is None)]
"""What recordings that came by another dialect have (D), and Bota's own do not."""


class SuspectChunkAnswer(Answer):
    """A chunk that cannot be audio by its first bytes (D). It can be sent again."""

    number: int
    looks_like: Annotated[str, Field(examples=["a PDF document"])]


SuspectChunks = Annotated[list[SuspectChunkAnswer] | None, Field(exclude_if=lambda value: value is None)]
"""Only there if there is any (D), and at most a hundred of them."""


class MediaAnswer(Answer):
    """What a recording consists of: its audio, and nothing else here."""

    id: MediaId
    type: Literal["audio"]
    mime_type: str
    file_size_bytes: Count
    status: Literal["pending", "uploaded"]
    captured_at: Time | None
    created_at: Time


class ProgressAnswer(Answer):
    """How far recognition has come (D). What is not known is absent: nothing is estimated that was not measured."""

    audio_ms: Annotated[int | None, Field(ge=0), WhereKnown] = None
    recognized_ms: Annotated[int | None, Field(ge=0), WhereKnown] = None
    ready_at: Annotated[Time | None, WhereKnown] = None


class RecordingAnswer(Answer):
    id: RecordingId
    project_id: str
    device_id: str | None
    end_user_id: str | None
    name: str | None
    source: Source
    upload_method: str | None
    status: RecordingStatus
    duration_ms: Count | None
    duration_seconds: Count | None
    file_size_bytes: Count | None
    mime_type: str | None
    started_at: Time | None
    ended_at: Time | None
    recorded_at: Time | None
    transcription_id: TranscriptionId | None
    transcription_status: TranscriptionStatusOfRecording | None
    content_sha256: Sha256 | None
    content_sha256_verified_at: Time | None
    metadata: dict[str, Any]
    media: list[MediaAnswer]
    failure: FailureAnswer | None
    created_at: Time
    updated_at: Time
    uploaded_at: Time | None
    deleted_at: None
    recording_uuid: Annotated[str | None, Field(exclude_if=lambda value: value is None)] = None
    """Only there if the recorder named it, like `recording_generation`."""
    recording_generation: Annotated[int | None, Field(ge=1, exclude_if=lambda value: value is None)] = None
    dialect: OfOthers = None
    external_id: OfOthers = None
    suspect_chunks: SuspectChunks = None
    damage: Annotated[list[DamageAnswer], Field(exclude_if=lambda damage: not damage)] = []
    """(D) Only there if some chunk could not be used."""
    progress: Annotated[ProgressAnswer | None, WhereKnown] = None
    """(D) Only there while the recording is worked on, and not in lists."""
    version: Annotated[int | None, WhereKnown] = None
    """(D) Only there if it was asked for: the answer is how the recording stood after its event of this version."""


class StreamingCreatedAnswer(Answer):
    """The template holds the literal `{part}` and its own signature (S)."""

    id: RecordingId
    status: Literal["streaming"]
    chunk_upload_url_template: str
    max_chunks: int
    expires_at: Time


class FinalizedAnswer(Answer):
    id: RecordingId
    status: Literal["uploaded"]
    transcription_status: Literal["queued"]
    chunks_received: Count
    stitching_job_id: str
    suspect_chunks: SuspectChunks = None


class ChunkAnswer(Answer):
    """`looks_like` (D): only there if the chunk cannot be audio by its first bytes."""

    number: int
    size_bytes: Count
    sha256: Sha256
    md5: str
    uploaded_at: Time
    looks_like: Annotated[str | None, Field(exclude_if=lambda value: value is None)] = None
    damage: Annotated[DamageAnswer | None, Field(exclude_if=lambda damage: damage is None)] = None
    """(D) Only there if the chunk could not be used."""


class ChunksAnswer(Answer):
    """What has arrived (D), and a fresh template while more can be taken, or some of it can be replaced."""

    id: RecordingId
    status: Literal["pending", "streaming", "uploaded", "failed"]
    chunks_received: Count
    total_chunks: int | None
    max_chunks: int
    chunk_upload_url_template: str | None
    expires_at: Time
    data: list[ChunkAnswer]


class HistoryEntryAnswer(Answer):
    version: int
    type: str
    at: Time
    data: dict[str, Any]
    trace_id: Annotated[str | None, WhereKnown] = None
    """Of the request that it came of, by which the service's log lines are found."""


class HistoryAnswer(Answer):
    """A page of a history, oldest first; `next_cursor` asks for the next one."""

    data: list[HistoryEntryAnswer]
    has_more: bool
    next_cursor: str | None


class DownloadUrlAnswer(Answer):
    media_id: MediaId
    download_url: str
    expires_at: Time
    expires_in: Annotated[int, Field(ge=1, le=86_400)]
    content_type: str
    file_size_bytes: Count


class UploadUrlAnswer(Answer):
    """Where to PUT the file, with which headers and no Authorization; `upload_token` is the key to complete it with."""

    media_id: MediaId
    upload_url: str
    upload_token: Annotated[str, Field(pattern=r"^up_[A-Za-z0-9_-]{1,253}$")]
    content_type: str
    headers: dict[str, str]
    expires_at: Time


class SegmentAnswer(Answer):
    """Times in seconds from the start. What is not known of a segment is absent: an exporter accepts no null there."""

    start: float
    end: float
    text: Annotated[str, Field(min_length=1, max_length=10_000)]
    speaker: Annotated[str | None, WhereKnown] = None
    confidence: Annotated[float | None, WhereKnown] = None


class TranscriptionAnswer(Answer):
    """`text` and `full_text` are both the transcript. `language` and `provider` are what was asked for, until it is
    known what was recognized; `engine` (D) names what recognized it."""

    id: TranscriptionId
    project_id: str
    recording_id: RecordingId
    status: TranscriptionStatus
    language: str | None
    provider: Annotated[str, Field(max_length=64)] | None
    engine: str | None
    duration_ms: Count | None
    text: str | None
    full_text: str | None
    segments: list[SegmentAnswer]
    word_count: Count | None
    confidence: float | None
    error: str | None
    created_at: Time
    started_at: Time | None
    completed_at: Time | None
    updated_at: Time


class WebhookAnswer(Answer):
    """An endpoint. It is `failing` from a delivery that failed in all its attempts until the next that succeeds (D)."""

    id: WebhookId
    url: str
    events: list[str]
    status: Literal["active", "failing"]
    failing_since: Time | None
    created_at: Time


class WebhookCreatedAnswer(WebhookAnswer):
    """The secret is shown here and never again."""

    secret: Annotated[str, Field(pattern=r"^whsec_[A-Za-z0-9+/=]+$")]


class AttemptAnswer(Answer):
    """One sending: the receiver's status and the beginning of its body, or what went wrong."""

    number: int
    at: Time
    duration_ms: Count
    status_code: int | None
    response_body: str | None
    error: str | None


class DeliveryAnswer(Answer):
    id: str
    event_id: EventId
    type: EventType
    recording_id: RecordingId
    status: DeliveryStatus
    attempts: list[AttemptAnswer]
    next_attempt_at: Time | None
    created_at: Time


class WholeDeliveryAnswer(DeliveryAnswer):
    """With the body, which is the same text at each attempt: the one that is signed."""

    request_body: str


class RedeliveredAnswer(Answer):
    redelivered: Count


class HealthAnswer(Answer):
    status: Literal["healthy", "unhealthy"]
    database: Literal["connected", "disconnected"]
    billing: Literal["disabled"]


class ErrorBody(BaseModel):
    """`type` and `code` are equal; some types say more in fields of their own.

    `param`: the field that is wrong. `request_id`: the answer's `x-correlation-id` without its hyphens (D).
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    code: str
    message: str
    param: Annotated[str | None, Field(exclude_if=lambda value: value is None)] = None
    request_id: Annotated[
        str | None, Field(pattern=r"^req_[A-Za-z0-9]{32}$", exclude_if=lambda value: value is None)
    ] = None


class ErrorAnswer(Answer):
    error: ErrorBody


class CreatedAnswer(RootModel[StreamingCreatedAnswer | RecordingAnswer]):
    """A streaming recording's template, or, without `streaming`, the recording."""
