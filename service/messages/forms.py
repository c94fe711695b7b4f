"""The public form of every event: what a message's value holds, for programs that the project does not know.

A contract, and not the stored form. Within a type's version, fields are only ever added, and only ones that a reader
may lack; whatever else must change becomes a new type with the next version. So a reader ignores fields it does not
know, and types it does not know.
"""

from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
BlobKey = Annotated[str, Field(description="names the bytes in the service's blob store; opaque")]
Milliseconds = Annotated[int, Field(ge=0, description="in milliseconds")]
Bytes = Annotated[int, Field(ge=0, description="in bytes")]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
StageName = Annotated[
    str, Field(description="upload, stitch, transcribe or note; further ones may come", examples=["stitch"])
]


def _without_titles(schema: dict[str, Any]) -> None:
    """A title that only repeats the field's name in other letters tells nobody anything."""
    for described in schema.get("properties", {}).values():
        described.pop("title", None)


class PublicForm(BaseModel):
    """What every message has. `TYPE` is its `ce_type`."""

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra=_without_titles)
    TYPE: ClassVar[str]

    version: Annotated[
        int, Field(ge=1, description="the event's place in its subject's history, counted from 1 without a gap")
    ]
    at: Annotated[AwareDatetime, Field(description="when it was decided, in UTC")]

    @property
    def subject_id(self) -> UUID:
        """What this happened to; also the message's key."""
        raise NotImplementedError


class RecordingForm(PublicForm):
    """What every message about a recording has."""

    recording_id: Annotated[UUID, Field(description="the recording that this happened to; also the message's key")]

    @property
    def subject_id(self) -> UUID:
        return self.recording_id


class SessionForm(PublicForm):
    """What every message about an ambient session has."""

    session_id: Annotated[UUID, Field(description="the session that this happened to; also the message's key")]

    @property
    def subject_id(self) -> UUID:
        return self.session_id


class RecordingOpened(RecordingForm):
    """A caller announced a recording and may send chunks of it until `expires_at`."""

    TYPE = "tapedeck.recording.opened.v1"

    dialect: Annotated[str, Field(description="the API that it was announced over", examples=["bota"])]
    tenant_id: str
    external_id: Annotated[str, Field(description="what the caller names the recording by")]
    finalize_policy: Annotated[
        str, Field(description="what a finalize does while chunks are missing", examples=["reject"])
    ]
    max_chunks: Positive
    codec: str | None
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    expires_at: AwareDatetime
    estimated_duration_ms: Milliseconds | None
    chunk_duration_ms: Milliseconds | None
    device_id: str | None
    end_user_id: str | None
    details_key: BlobKey | None
    note_wanted: Annotated[bool, Field(description="whether a note is written after the transcript")] = False


class ChunkStored(RecordingForm):
    """The bytes of chunk `number` are durable. A later message for the same number replaces this one.

    Without a `blob_key` the chunk is metadata only: it counts, and adds no bytes.
    """

    TYPE = "tapedeck.recording.chunk_stored.v1"

    number: Positive
    blob_key: BlobKey | None
    size_bytes: Bytes
    sha256: Sha256
    md5: Md5


class FinalizeRequested(RecordingForm):
    """The caller declared how many chunks there are; with the policy `reconcile`, some may come later."""

    TYPE = "tapedeck.recording.finalize_requested.v1"

    total_chunks: Positive
    chunks_received: Count
    final_duration_ms: Milliseconds | None
    checksum_md5: Md5 | None


class Stitched(RecordingForm):
    """The chunks became one audio file. `chunks_md5` is over the chunks' bytes in order."""

    TYPE = "tapedeck.recording.stitched.v1"

    blob_key: BlobKey
    size_bytes: Bytes
    sha256: Sha256
    content_type: Annotated[str, Field(examples=["audio/ogg"])]
    codec: str
    method: Annotated[str, Field(description="how the chunks were joined")]
    duration_ms: Milliseconds
    chunk_count: Positive
    chunks_md5: Md5


class Transcribed(RecordingForm):
    """The audio became text. No speech at all is `word_count` 0, not a failure; `confidence` is then null."""

    TYPE = "tapedeck.recording.transcribed.v1"

    blob_key: BlobKey
    size_bytes: Bytes
    sha256: Sha256
    language: str
    engine: str
    provider: str | None
    word_count: Count
    segment_count: Count
    confidence: Annotated[float, Field(ge=0.0, le=1.0)] | None
    duration_ms: Milliseconds


class NoteWritten(RecordingForm):
    """The transcript became a note."""

    TYPE = "tapedeck.recording.note_written.v1"

    blob_key: BlobKey
    size_bytes: Bytes
    sha256: Sha256
    language: str
    engine: str


class Failed(RecordingForm):
    """A stage was given up after `attempts`. `reason` is a code; `message` one sentence without content."""

    TYPE = "tapedeck.recording.failed.v1"

    stage: StageName
    reason: str
    message: str
    attempts: Positive


class RetryRequested(RecordingForm):
    """Someone asked for the failed `stage` to be tried again."""

    TYPE = "tapedeck.recording.retry_requested.v1"

    stage: StageName


class RecordingDeleted(RecordingForm):
    """Someone asked for the recording to be gone: its bytes are erased. Whoever copied any should do likewise."""

    TYPE = "tapedeck.recording.deleted.v1"


class AmbientSessionOpened(SessionForm):
    """A caller announced an ambient session: recordings that belong to one encounter. It may open again after its end.

    Free text about the session is content, and not here: `details_key` names the bytes.
    """

    TYPE = "tapedeck.ambient_session.opened.v1"

    dialect: Annotated[str, Field(description="the API that it was announced over", examples=["dragon"])]
    tenant_id: str
    correlation_id: Annotated[
        str, Field(description="what the caller names the session by; its recordings' `external_id` begins with it")
    ]
    partner_id: str
    product_id: str
    external_user_id: str | None
    ehr_instance_id: str | None
    details_key: BlobKey | None


class AmbientSessionUpdated(SessionForm):
    """The caller announced the session again, with other facts. All of them, also those that stayed."""

    TYPE = "tapedeck.ambient_session.updated.v1"

    product_id: str
    external_user_id: str | None
    ehr_instance_id: str | None
    details_key: BlobKey | None


class AmbientSessionEnded(SessionForm):
    """No further recording begins in the session. Those that have begun go on to their end."""

    TYPE = "tapedeck.ambient_session.ended.v1"


FORMS: dict[str, type[PublicForm]] = {
    form.TYPE: form
    for form in (
        RecordingOpened,
        ChunkStored,
        FinalizeRequested,
        Stitched,
        Transcribed,
        NoteWritten,
        Failed,
        RetryRequested,
        RecordingDeleted,
        AmbientSessionOpened,
        AmbientSessionUpdated,
        AmbientSessionEnded,
    )
}
"""`ce_type` -> the form of its value."""
