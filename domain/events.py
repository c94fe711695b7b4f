"""The facts of a recording's life, in the past tense.

An event holds facts, never content: no audio, transcript, note or name. Content is in blobs; the event has their key,
size and digest. So a recording can really be deleted while its history keeps what happened.

Every event has a version from its first day. Changing an event's shape raises `VERSION` and needs an upcast in
`domain.upcasts`, so that what was once stored stays readable.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
BlobKey = Annotated[str, Field(min_length=1, max_length=512)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


@dataclass(frozen=True, slots=True)
class Since:
    """Marks a field that was added to its event in this version. Older stored events lack it until they are upcast."""

    version: int


class RecordingKind(StrEnum):
    """What the chunks of a recording are to each other."""

    STREAMED = "streamed"
    """Chunks of an encoded stream, or slices of a file."""

    WHOLE_FILE = "whole_file"
    """One chunk, which is the file."""

    SAMPLES = "samples"
    """Bare PCM samples of someone who is speaking: recognized chunk by chunk."""


class SampleScale(StrEnum):
    """What the numbers of a chunk of bare samples were by themselves. They are stored as 16-bit samples; of those that
    could be either, the recording's other chunks say what they are."""

    INTEGERS = "integers"
    """16-bit integers, some of them beyond 1."""

    FLOATS = "floats"
    """Some have fractions; 1.0 is full scale. Stored as integers."""

    UNITS = "units"
    """Only -1, 0 and 1, as integers are written. Stored as they are."""

    FLOAT_UNITS = "float_units"
    """Only -1, 0 and 1, as floats are written. Stored as they are."""


class FinalizePolicy(StrEnum):
    """What a finalize does while chunks are missing: refuse, or accept and wait for them."""

    REJECT = "reject"
    RECONCILE = "reconcile"


class Stage(StrEnum):
    """A step of a recording's life; each ends in its own event or in `Failed`."""

    UPLOAD = "upload"
    STITCH = "stitch"
    TRANSCRIBE = "transcribe"
    NOTE = "note"

    @property
    def doing(self) -> str:
        """What is being done in this stage, in words for people."""
        return _DOING[self]


_DOING = {
    Stage.UPLOAD: "uploading",
    Stage.STITCH: "stitching",
    Stage.TRANSCRIBE: "transcribing",
    Stage.NOTE: "writing the note",
}


class Event(BaseModel):
    """A fact about a recording, a session of recordings or an order for a note.

    `at`: when it was decided, an aware UTC datetime.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    VERSION: ClassVar[int] = 1

    at: AwareDatetime


class RecordingOpened(Event):
    """A caller announced a recording and may send chunks of it until `expires_at`.

    `details_key` names the blob that holds what the caller says about the recording in free text (name, metadata):
    such text may name a patient, so it is content. `language` is what is spoken, where the caller says it.

    `source` and `upload_method` are the caller's words for where it comes from and how it got here. A recorder that
    keeps its own names gives each recording a `recording_uuid`, and counts in `recording_generation` how often it used
    that one anew.

    Version 1 knew no notes, version 2 no language, version 3 no kind, version 4 none of these names and words.
    """

    VERSION: ClassVar[int] = 5

    dialect: str
    tenant_id: str
    external_id: str
    finalize_policy: FinalizePolicy
    max_chunks: Positive
    codec: str | None
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    expires_at: AwareDatetime
    estimated_duration_ms: Count | None
    chunk_duration_ms: Count | None
    device_id: str | None
    end_user_id: str | None
    details_key: BlobKey | None
    note_wanted: Annotated[bool, Since(2)]
    language: Annotated[str | None, Since(3)]
    kind: Annotated[RecordingKind, Since(4)]
    recorded_at: Annotated[AwareDatetime | None, Since(5)]
    source: Annotated[str | None, Since(5)]
    upload_method: Annotated[str | None, Since(5)]
    recording_uuid: Annotated[str | None, Since(5)]
    recording_generation: Annotated[Positive | None, Since(5)]


LooksLike = Annotated[str, Field(min_length=1, max_length=100)]
"""What bytes that cannot be audio are, such as "a PDF document"; one of a fixed set of phrases."""

MOST_DAMAGE = 1_000
"""How many damaged chunks `Stitched` names: events are messages, too, and a message has a largest size."""

MOST_SUSPECTS = 100
"""Of how many chunks that cannot be audio the numbers are kept, beside the chunks' own events."""


@dataclass(frozen=True, slots=True)
class SuspectChunk:
    """A chunk that cannot be audio by its first bytes."""

    number: Positive
    looks_like: LooksLike


class ChunkStored(Event):
    """The bytes of chunk `number` are durable under `blob_key`. A later one for the same number replaces it.

    Without a `blob_key` it is metadata only: it counts as a chunk, and adds no bytes. `request_sha256` tells the
    request that it came with from others, where chunks come without a number. `looks_like` is null unless the chunk
    cannot be audio by its first bytes. `sample_scale` is only known of bare samples. `expected_bytes`: how many bytes
    the caller said that there would be, if it did.

    Version 1 knew only chunks with a number, version 2 neither a suspicion nor a scale, version 3 no expected size.
    """

    VERSION: ClassVar[int] = 4

    number: Positive
    blob_key: BlobKey | None
    size_bytes: Count
    sha256: Sha256
    md5: Md5
    request_sha256: Annotated[Sha256 | None, Since(2)]
    looks_like: Annotated[LooksLike | None, Since(3)]
    sample_scale: Annotated[SampleScale | None, Since(3)]
    expected_bytes: Annotated[Count | None, Since(4)]

    @property
    def has_expected_size(self) -> bool:
        """Whether nobody said that there would be more or fewer bytes."""
        return self.expected_bytes is None or self.expected_bytes == self.size_bytes


class ChunkTranscribed(Event):
    """The words of chunk `number` alone are known, perhaps before the recording is whole.

    `chunk_sha256` is that of the bytes that were heard.
    """

    number: Positive
    chunk_sha256: Sha256
    blob_key: BlobKey
    size_bytes: Count
    sha256: Sha256
    language: str
    engine: str
    word_count: Count
    duration_ms: Count


class PartHeard(Event):
    """What is said in part `number` of the recording's sound is known, perhaps while chunks still arrive.

    Parts are consecutive, from 1 on: this one begins `start_ms` after the recording's start, and lasts `duration_ms`.
    It rests on the chunks from 1 to `last_chunk`, so other bytes for one of them make it void. A later event for the
    same part replaces this one. `sound_sha256`: of the samples that were heard.
    """

    number: Positive
    last_chunk: Positive
    start_ms: Count
    duration_ms: Positive
    sound_sha256: Sha256
    blob_key: BlobKey
    size_bytes: Count
    sha256: Sha256
    language: str
    engine: str
    word_count: Count


class FinalizeRequested(Event):
    """How many chunks there are was declared. The answer, then and later, is computed from this event.

    By the caller; or `by_itself`, of a file that had arrived when the recording's time was over.

    `chunks_received` of them had arrived by then; with the policy *reject* that is all of them. `suspect_chunks` are
    those of them that cannot be audio by their first bytes, at most the first hundred.

    Version 1 suspected none, version 2 was always the caller's.
    """

    VERSION: ClassVar[int] = 3

    total_chunks: Positive
    chunks_received: Count
    final_duration_ms: Count | None
    checksum_md5: Md5 | None
    suspect_chunks: Annotated[tuple[SuspectChunk, ...], Since(2)]
    by_itself: Annotated[bool, Since(3)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A chunk whose sound is missing from the stitched audio, in whole or in part.

    `reason` is a code; `message` one sentence without content.
    """

    chunk_number: Positive
    reason: str
    message: str


class Stitched(Event):
    """The chunks became one audio file. `chunks_md5` is over the chunks' bytes in order.

    `damage`: the chunks that could not be used, in whole or in part. Each may be replaced, and stitching retried.

    Version 1 knew no damage.
    """

    VERSION: ClassVar[int] = 2

    blob_key: BlobKey
    size_bytes: Count
    sha256: Sha256
    content_type: str
    codec: str
    method: str
    duration_ms: Count
    chunk_count: Positive
    chunks_md5: Md5
    damage: Annotated[tuple[Damage, ...], Since(2)]


class Transcribed(Event):
    """The audio became text. No speech at all is `word_count` 0, not a failure; `confidence` is then null."""

    blob_key: BlobKey
    size_bytes: Count
    sha256: Sha256
    language: str
    engine: str
    provider: str | None
    word_count: Count
    segment_count: Count
    confidence: Share | None
    duration_ms: Count


class NoteWritten(Event):
    """The transcript became a note, written by `engine`.

    `fallback_reason`: why it is not the engine that was to write it; null when it is. `unsupported_share`: of the
    engine's statements, the share that is left out, because what they cite is not in the transcript or does not have
    their numbers. Null if nobody looked.

    Version 1 knew no fallback, version 2 no citations.
    """

    VERSION: ClassVar[int] = 3

    blob_key: BlobKey
    size_bytes: Count
    sha256: Sha256
    language: str
    engine: str
    fallback_reason: Annotated[str | None, Since(2)]
    unsupported_share: Annotated[Share | None, Since(3)]


AUTHOR: Final = r"^[A-Za-z0-9][A-Za-z0-9._:@|/+-]{0,127}$"
"""An id, as of a user's account. No name: it stays in the log when everything else is deleted."""

Author = Annotated[str, Field(pattern=AUTHOR)]


class NoteEdited(Event):
    """A person stored the note anew, with other words. The notes of before are kept, the writer's own one, too.

    `number` counts the edits of a recording, from 1 on. `author`: who edited it, as the caller says. `key_id`: the key
    with which it was stored.
    """

    number: Positive
    blob_key: BlobKey
    size_bytes: Count
    sha256: Sha256
    author: Author
    key_id: str


INTEGRITY_FAILURE: Final = "integrity_failure"
"""The `reason` of a `Failed`: the chunks' bytes do not have the MD5 that was declared."""


class Failed(Event):
    """A stage was given up after `attempts`. `reason` is a code; `message` one sentence without content.

    An upload that was never completed fails with the reason `expired`, and for good.
    """

    stage: Stage
    reason: str
    message: str
    attempts: Positive


class RetryRequested(Event):
    """Someone asked for the failed `stage` to be tried again; or, after chunks were replaced, for all that was made of
    them to be made anew, from stitching on."""

    stage: Stage


class TranscriptionRequested(Event):
    """Someone asked for the recording's words in a language, or from a provider. Both as they are wanted from now on,
    also what stayed; null where nothing was ever asked.

    `is_anew`: what was recognized so far, or is being recognized, is of another language. The audio is transcribed
    again, and what was made of the transcript is made again, too.
    """

    language: str | None
    provider: str | None
    is_anew: bool


class RecordingDeleted(Event):
    """Someone asked for the recording to be gone. Its blobs are erased; this history keeps the facts."""


class ErasedPart(StrEnum):
    """What of a recording is no longer kept."""

    SUPERSEDED = "superseded"
    """Bytes that later ones took the place of: replaced chunks, and what was made of them or in another language."""

    CHUNKS = "chunks"
    """The chunks, which are in the stitched audio."""

    EVERYTHING = "everything"
    """All content of a recording that expired, also what its caller said about it in free text."""


class ContentErased(Event):
    """Bytes of the recording are no longer kept, because their retention is over.

    `size_bytes`: how many, counted once for each event that brought them. So what a recording keeps is the sum of the
    sizes in its events, without what was erased. `superseded_until`: superseded bytes are those that others took the
    place of until then; null for other parts.
    """

    part: ErasedPart
    size_bytes: Count
    superseded_until: AwareDatetime | None


class AmbientSessionOpened(Event):
    """A caller announced an ambient session: recordings that belong to one encounter.

    `details_key` names the blob with what the caller says about the session in free text, which is content.
    """

    dialect: str
    tenant_id: str
    correlation_id: str
    partner_id: str
    product_id: str
    external_user_id: str | None
    ehr_instance_id: str | None
    details_key: BlobKey | None


class AmbientSessionUpdated(Event):
    """The caller announced the session again, with other facts. All of them, also those that stayed."""

    product_id: str
    external_user_id: str | None
    ehr_instance_id: str | None
    details_key: BlobKey | None


class AmbientSessionEnded(Event):
    """No further recording begins in the session. Those that have begun go on to their end."""


class NoteTemplate(StrEnum):
    """What kind of conversation a note is about, and with that its parts."""

    GENERAL = "general"
    SALES = "sales"
    CLINICAL = "clinical"
    LEGAL = "legal"


class NoteOrdered(Event):
    """A caller of `dialect` ordered a note of a recording's transcript, by a template or by a prompt of the caller's.

    `prompt_key` names the blob with the prompt, which is content. `transcript_key` and `transcript_sha256` are those
    of the transcript at that moment: the note is about that one, also if the recording is transcribed anew.
    `provider`: the vendor that the caller asked for, if any.
    """

    dialect: str
    tenant_id: str
    recording_id: UUID
    transcript_key: BlobKey
    transcript_sha256: Sha256
    template: NoteTemplate | None
    prompt_key: BlobKey | None
    provider: str | None


class NoteOrderBegun(Event):
    """The ordered note is being written."""


class NoteOrderFulfilled(Event):
    """The ordered note is written, by `engine`. The other fields are as in `NoteWritten`.

    Version 1 knew no citations.
    """

    VERSION: ClassVar[int] = 2

    blob_key: BlobKey
    size_bytes: Count
    sha256: Sha256
    language: str
    engine: str
    fallback_reason: str | None
    unsupported_share: Annotated[Share | None, Since(2)]


class NoteOrderFailed(Event):
    """The ordered note was given up after `attempts`. `reason` is a code; `message` one sentence without content."""

    reason: str
    message: str
    attempts: Positive


RecordingEvent = (
    RecordingOpened
    | ChunkStored
    | ChunkTranscribed
    | PartHeard
    | FinalizeRequested
    | Stitched
    | Transcribed
    | NoteWritten
    | NoteEdited
    | Failed
    | RetryRequested
    | TranscriptionRequested
    | ContentErased
    | RecordingDeleted
)

AmbientSessionEvent = AmbientSessionOpened | AmbientSessionUpdated | AmbientSessionEnded

NoteOrderEvent = NoteOrdered | NoteOrderBegun | NoteOrderFulfilled | NoteOrderFailed

LoggedEvent = RecordingEvent | AmbientSessionEvent | NoteOrderEvent

OpeningEvent = RecordingOpened | AmbientSessionOpened | NoteOrdered
"""The first event of a history; it says by which dialect it came."""

RECORDING_EVENT_TYPES: dict[str, type[RecordingEvent]] = {
    event_type.__name__: event_type
    for event_type in (
        RecordingOpened,
        ChunkStored,
        ChunkTranscribed,
        PartHeard,
        FinalizeRequested,
        Stitched,
        Transcribed,
        NoteWritten,
        NoteEdited,
        Failed,
        RetryRequested,
        TranscriptionRequested,
        ContentErased,
        RecordingDeleted,
    )
}

SESSION_EVENT_TYPES: dict[str, type[AmbientSessionEvent]] = {
    event_type.__name__: event_type for event_type in (AmbientSessionOpened, AmbientSessionUpdated, AmbientSessionEnded)
}

NOTE_ORDER_EVENT_TYPES: dict[str, type[NoteOrderEvent]] = {
    event_type.__name__: event_type for event_type in (NoteOrdered, NoteOrderBegun, NoteOrderFulfilled, NoteOrderFailed)
}

EVENT_TYPES: dict[str, type[LoggedEvent]] = {
    **RECORDING_EVENT_TYPES,
    **SESSION_EVENT_TYPES,
    **NOTE_ORDER_EVENT_TYPES,
}
"""Every event that the log can hold, by its name."""
