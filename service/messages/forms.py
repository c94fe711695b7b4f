"""The public form of every event: what a message's value holds, for programs unknown to this project.

This is a contract, not the stored form. Within a type's version, fields are only ever added, and only ones that a
message may lack; any other change makes a new type with the next version. So readers ignore unknown fields and
unknown types.

A form has the fields of its event. Only what differs is stated here: fields described for readers, and fields that
stay internal. A field that joined the event later (`Since`) is one that a message may lack.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, create_model

from domain import events
from domain.events import LoggedEvent, Since

BlobKey = Annotated[str, Field(description="names the bytes in the service's blob store; opaque")]
Milliseconds = Annotated[int, Field(ge=0, description="in milliseconds")]
Bytes = Annotated[int, Field(ge=0, description="in bytes")]
_EXAMPLE = UUID("0b7a1bd2-9e35-4e0f-8f53-0f6f4d0a4f11")
StageName = Annotated[
    str, Field(description="upload, stitch, transcribe or note; further ones may come", examples=["stitch"])
]


def _without_titles(schema: dict[str, Any]) -> None:
    """A title that only repeats the field's name in other letters is of no use."""
    for described in schema.get("properties", {}).values():
        described.pop("title", None)


class PublicForm(BaseModel):
    """What every message has.

    `TYPE` is its `ce_type`, `EVENT` what it tells, `SUBJECT` the field with the id of what it happened to.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra=_without_titles)
    TYPE: ClassVar[str]
    EVENT: ClassVar[type[LoggedEvent]]
    SUBJECT: ClassVar[str]

    version: Annotated[
        int, Field(ge=1, description="the event's place in its subject's history, counted from 1 without a gap")
    ]
    at: Annotated[AwareDatetime, Field(description="when it was decided, in UTC")]
    client_ids: Annotated[
        dict[str, str],
        Field(
            description="what the clients who announced it know it by, each id named as their API names it; the same "
            "in every message about it. Further names may come, and older messages have none",
            examples=[
                {"recording_id": f"rec_{_EXAMPLE.hex}", "transcription_id": f"txn_{_EXAMPLE.hex}"},
                {"correlationId": "visit-7", "recordingId": "1"},
                {"session_id": str(_EXAMPLE)},
            ],
        ),
    ] = Field(default_factory=dict)

    @property
    def subject_id(self) -> UUID:
        """What this happened to; also the message's key."""
        its_id: UUID = getattr(self, self.SUBJECT)
        return its_id


class RecordingForm(PublicForm):
    """What every message about a recording has."""

    SUBJECT = "recording_id"

    recording_id: Annotated[UUID, Field(description="the recording that this happened to; also the message's key")]


class NoteOrderForm(PublicForm):
    """What every message about a note order has."""

    SUBJECT = "note_order_id"

    note_order_id: Annotated[UUID, Field(description="the order that this happened to; also the message's key")]


class SessionForm(PublicForm):
    """What every message about an ambient session has."""

    SUBJECT = "session_id"

    session_id: Annotated[UUID, Field(description="the session that this happened to; also the message's key")]


@dataclass(frozen=True, slots=True)
class _Told:
    """What readers are told about a field. `assumed`: the value if an older message lacks it; null unless given."""

    description: str | None = None
    examples: list[str] | None = None
    assumed: Any = None


def public_form(
    event_type: type[LoggedEvent],
    message_type: str,
    description: str | None = None,
    *,
    internal: frozenset[str] = frozenset(),
    **told: _Told,
) -> type[PublicForm]:
    """The form of an event. `description`: for readers, if the event's own docstring does not suit them.

    `internal`: fields that are not published. `told`: what readers are told about a field.
    """
    base: type[PublicForm] = _base(event_type)
    hints = get_type_hints(event_type, include_extras=True)
    names = [name for name in event_type.model_fields if name not in internal and name not in base.model_fields]
    if unknown := (told.keys() | internal) - event_type.model_fields.keys():
        raise ValueError(f"{event_type.__name__} has no field {', '.join(unknown)}")
    form = create_model(
        event_type.__name__,
        __base__=base,
        __doc__=description or event_type.__doc__,
        __module__=__name__,
        **{name: _field(name, hints[name], told.get(name)) for name in names},
    )
    form.TYPE, form.EVENT = message_type, event_type
    return form


def _base(event_type: type[LoggedEvent]) -> type[PublicForm]:
    if event_type in events.SESSION_EVENT_TYPES.values():
        return SessionForm
    return NoteOrderForm if event_type in events.NOTE_ORDER_EVENT_TYPES.values() else RecordingForm


def _field(name: str, hint: Any, told: _Told | None) -> Any:
    """The field as `create_model` expects it: its public type, and its default, if any."""
    stored = _without_since(hint)
    public = _public(name, stored)
    default: Any = ...
    if stored != hint:
        default = told.assumed if told else None
        public = _or_none(public) if default is None else public
    if told is not None:
        public = Annotated[public, Field(description=told.description, examples=told.examples)]
    return public, default


def _without_since(hint: Any) -> Any:
    marks = hint.__metadata__ if get_origin(hint) is Annotated else ()
    kept = tuple(mark for mark in marks if not isinstance(mark, Since))
    if len(kept) == len(marks):
        return hint
    return Annotated[(hint.__origin__, *kept)] if kept else hint.__origin__


def _or_none(public: Any) -> Any:
    return public if NoneType in get_args(public) else public | None


def _public(name: str, hint: Any) -> Any:
    """A field's type for readers: units are described, and an open set of words is any string."""
    if get_origin(hint) in (Union, UnionType):
        return reduce(or_, (_public(name, part) for part in get_args(hint)))
    if hint == events.BlobKey:
        return BlobKey
    if hint == events.Count and name.endswith("_ms"):
        return Milliseconds
    if hint == events.Count and name.endswith("_bytes"):
        return Bytes
    if hint == events.Stage:
        return StageName
    return str if isinstance(hint, type) and issubclass(hint, StrEnum) else hint


_UNSUPPORTED_SHARE = _Told(
    "of the engine's statements, the share that is left out, because what they cite is not in the transcript or does "
    "not have their numbers; null if nobody looked"
)

_ALL = (
    public_form(
        events.RecordingOpened,
        "tapedeck.recording.opened.v1",
        "A caller announced a recording and may send chunks of it until `expires_at`.",
        dialect=_Told("the API that it was announced over", examples=["bota"]),
        external_id=_Told("what the caller names the recording by"),
        finalize_policy=_Told("what a finalize does while chunks are missing", examples=["reject"]),
        note_wanted=_Told("whether a note is written after the transcript", assumed=False),
        language=_Told("what is spoken, where the caller says it"),
        kind=_Told(
            "what its chunks are: `streamed` (an encoded stream, or slices of a file), `whole_file` (one chunk, which "
            "is the file) or `samples` (bare PCM samples); further ones may come, and older messages lack it",
            examples=["streamed"],
        ),
        recorded_at=_Told("when it was recorded, where the caller says it"),
        source=_Told("where it comes from, in the caller's word", examples=["device", "api_upload"]),
        upload_method=_Told("how it got here, in the caller's word", examples=["import", "ble", "wifi", "cellular"]),
        recording_uuid=_Told("the recorder's own name for it"),
        recording_generation=_Told("how often the recorder has used that name"),
    ),
    public_form(
        events.ChunkStored,
        "tapedeck.recording.chunk_stored.v1",
        "The bytes of chunk `number` are durable. A later message for the same number replaces this one.\n\n"
        "Without a `blob_key` the chunk is metadata only: it counts, and adds no bytes.",
        request_sha256=_Told("tells its request from others, where chunks come without a number"),
        looks_like=_Told(
            "what its first bytes say it is, if it cannot be audio; null otherwise", examples=["a PDF document"]
        ),
        sample_scale=_Told(
            "what its numbers were, if it is bare samples: `integers`, `floats`, or only -1, 0 and 1 as integers are "
            "written (`units`) or as floats are (`float_units`); further ones may come",
            examples=["integers"],
        ),
        expected_bytes=_Told("how many bytes the caller had announced, if it did"),
    ),
    public_form(
        events.ChunkTranscribed,
        "tapedeck.recording.chunk_transcribed.v1",
        "The words of chunk `number` alone are known, perhaps before the recording is whole.",
        chunk_sha256=_Told("of the bytes that were heard"),
    ),
    public_form(
        events.PartHeard,
        "tapedeck.recording.part_heard.v1",
        "What is said in part `number` of the recording is known, perhaps before the recording is whole. A later "
        "message for the same number replaces this one, and other bytes for one of the chunks up to `last_chunk` make "
        "it void.",
        last_chunk=_Told("it rests on the chunks up to this one"),
        start_ms=_Told("when the part begins, from the recording's start"),
        sound_sha256=_Told("of the samples that were heard"),
    ),
    public_form(
        events.FinalizeRequested,
        "tapedeck.recording.finalize_requested.v1",
        "How many chunks there are was declared; with the policy `reconcile`, some may come later.",
        by_itself=_Told(
            "whether nobody declared it: the recording is a file that had arrived when its time was over", assumed=False
        ),
        suspect_chunks=_Told("those of the chunks received that cannot be audio by their first bytes", assumed=()),
    ),
    public_form(
        events.Stitched,
        "tapedeck.recording.stitched.v1",
        "The chunks became one audio file. `chunks_md5` is over the chunks' bytes in order.",
        content_type=_Told(examples=["audio/ogg"]),
        method=_Told("how the chunks were joined"),
        damage=_Told(
            "the chunks that could not be used, in whole or in part; another message of this type may follow, once "
            "they were replaced and the recording was retried",
            assumed=(),
        ),
    ),
    public_form(events.Transcribed, "tapedeck.recording.transcribed.v1"),
    public_form(
        events.NoteWritten,
        "tapedeck.recording.note_written.v1",
        "The transcript became a note, written by `engine`.",
        fallback_reason=_Told("why it is not the engine that was to write it; null when it is"),
        unsupported_share=_UNSUPPORTED_SHARE,
    ),
    public_form(
        events.NoteEdited,
        "tapedeck.recording.note_edited.v1",
        "A person stored the note anew, with other words; those of before are kept.",
        number=_Told("counts the edits of the recording, from 1 on"),
        author=_Told("who edited it, by an id that the caller gave", examples=["practitioner-17"]),
        key_id=_Told("the key with which it was stored"),
    ),
    public_form(
        events.Failed,
        "tapedeck.recording.failed.v1",
        "A stage was given up after `attempts`. `reason` is a code; `message` one sentence without content.",
    ),
    public_form(
        events.RetryRequested,
        "tapedeck.recording.retry_requested.v1",
        "Someone asked for `stage` to be done again: it had failed, or it is stitching and chunks were replaced since. "
        "What later stages made is then made again, too.",
    ),
    public_form(
        events.TranscriptionRequested,
        "tapedeck.recording.transcription_requested.v1",
        language=_Told("a BCP 47 tag, as it was asked for", examples=["es-419"]),
        provider=_Told("whom the caller wishes to recognize it; what did so is in the `transcribed` message"),
    ),
    public_form(
        events.ContentErased,
        "tapedeck.recording.content_erased.v1",
        "Bytes of the recording are no longer kept, because the time for which they are is over. What a recording "
        "keeps is the sum of the sizes in its messages, without what was erased; after `deleted` it keeps nothing.",
        part=_Told(
            "`superseded` (bytes that later ones took the place of), `chunks` (they are in the stitched audio) or "
            "`everything` (the recording expired); further ones may come",
            examples=["chunks"],
        ),
        superseded_until=_Told("superseded bytes are those that others took the place of until then"),
    ),
    public_form(
        events.RecordingDeleted,
        "tapedeck.recording.deleted.v1",
        "Someone asked for the recording to be gone: its bytes are erased. Whoever copied any should do likewise.",
    ),
    public_form(
        events.AmbientSessionOpened,
        "tapedeck.ambient_session.opened.v1",
        "A caller announced an ambient session: recordings that belong to one encounter. It may open again after its "
        "end.\n\nFree text about the session is content, and not here: `details_key` names the bytes.",
        dialect=_Told("the API that it was announced over", examples=["dragon"]),
        correlation_id=_Told("what the caller names the session by; its recordings' `external_id` begins with it"),
    ),
    public_form(events.AmbientSessionUpdated, "tapedeck.ambient_session.updated.v1"),
    public_form(events.AmbientSessionEnded, "tapedeck.ambient_session.ended.v1"),
    public_form(
        events.NoteOrdered,
        "tapedeck.note_order.ordered.v1",
        "A caller ordered a note of a recording's transcript, by a template or by a prompt of the caller's.\n\n"
        "A prompt is content, and not here: `prompt_key` names the bytes.",
        dialect=_Told("the API that it was ordered over", examples=["bota"]),
        recording_id=_Told("the recording that the note is about"),
        transcript_sha256=_Told("of the transcript that the note is made from, which never changes"),
        template=_Told("what kind of conversation it is about; further ones may come", examples=["general"]),
        provider=_Told("the vendor that the caller asked for, whoever writes the note"),
    ),
    public_form(events.NoteOrderBegun, "tapedeck.note_order.begun.v1"),
    public_form(
        events.NoteOrderFulfilled,
        "tapedeck.note_order.fulfilled.v1",
        "The ordered note is written, by `engine`.",
        fallback_reason=_Told("why it is not the engine that was to write it; null when it is"),
        unsupported_share=_UNSUPPORTED_SHARE,
    ),
    public_form(events.NoteOrderFailed, "tapedeck.note_order.failed.v1"),
)

FORM_OF: dict[type[LoggedEvent], type[PublicForm]] = {form.EVENT: form for form in _ALL}

FORMS: dict[str, type[PublicForm]] = {form.TYPE: form for form in _ALL}
"""`ce_type` -> the form of its value."""
