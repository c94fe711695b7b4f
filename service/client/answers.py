"""The API's answers, as far as the client reads them. Unknown fields are ignored."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """An answer's body; unknown fields are ignored, so that the service can add some later."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Created(Answer):
    """A recording just created. `chunk_upload_url_template` holds the literal `{part}`."""

    id: str
    chunk_upload_url_template: str
    max_chunks: int


class Failure(Answer):
    """Why a recording failed: at which stage, a short name for the reason, and a sentence."""

    stage: str | None = None
    reason: str | None = None
    message: str | None = None


class Damage(Answer):
    """A chunk that could not be used, in whole or in part."""

    number: int
    reason: str
    message: str


class SuspectChunk(Answer):
    """A chunk that cannot be audio: what it looks like by its first bytes."""

    number: int
    looks_like: str


class RecognitionProgress(Answer):
    """How far recognition has come; what the service does not know is None."""

    audio_ms: int | None = None
    recognized_ms: int | None = None
    ready_at: datetime | None = None


class Recording(Answer):
    """A recording's state."""

    id: str
    status: str
    transcription_status: str | None = None
    transcription_id: str | None = None
    name: str | None = None
    external_id: str | None = None
    duration_ms: int | None = None
    file_size_bytes: int | None = None
    mime_type: str | None = None
    content_sha256: str | None = None
    started_at: datetime | None = None
    failure: Failure | None = None
    progress: RecognitionProgress | None = None
    damage: list[Damage] = Field(default_factory=list)
    suspect_chunks: list[SuspectChunk] = Field(default_factory=list)

    @property
    def has_failed(self) -> bool:
        """Nothing more will happen to it unless it is retried."""
        return self.status in ("failed", "integrity_failure") or self.transcription_status == "failed"

    @property
    def is_settled(self) -> bool:
        """It has failed, or its transcript is there."""
        transcribed = self.transcription_status in (None, "completed")
        return self.has_failed or (self.status == "completed" and transcribed)


class RecordingListing(Answer):
    """Recordings found by a search."""

    data: list[Recording]


class Segment(Answer):
    """A stretch of speech; `start` and `end` are seconds from the beginning."""

    start: float
    end: float
    text: str


class Transcription(Answer):
    """A transcript: its text and segments."""

    id: str
    status: str
    text: str | None = None
    word_count: int | None = None
    confidence: float | None = None
    engine: str | None = None
    segments: list[Segment] = Field(default_factory=list)


class Chunk(Answer):
    """A chunk that the service holds; digests in lower-case hex."""

    number: int
    size_bytes: int
    md5: str


class ChunkListing(Answer):
    """The chunks of a recording that have arrived; the template is there while it accepts more."""

    id: str
    status: str
    max_chunks: int
    chunk_upload_url_template: str | None = None
    data: list[Chunk]


class HistoryEntry(Answer):
    """One event of a recording, with its public facts in `data`."""

    type: str
    at: datetime
    data: dict[str, object] = Field(default_factory=dict)


class History(Answer):
    """A page of a recording's events, oldest first."""

    data: list[HistoryEntry]


class DownloadLink(Answer):
    """A signed address of the stitched file, valid for `expires_in` seconds."""

    download_url: str
    content_type: str | None = None
    file_size_bytes: int
