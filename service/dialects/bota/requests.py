"""What Bota's clients send, checked strictly: a number is a number, and an error names its field."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from service.application.bounded_json import JsonTooDeep, JsonTooLarge, check_bounds, field_too_deep
from service.application.exact_json import exact_loads
from service.dialects.bota import codecs
from service.dialects.bota.answers import Source
from service.dialects.bota.identifiers import DEVICE_ID, END_USER_ID
from service.dialects.http.language_tags import LanguageTag
from service.dialects.http.wrong_values import shown

PROVIDER = r"^[A-Za-z0-9][A-Za-z0-9 ._:/+-]{0,63}$"
"""(D) A name, and not a text: it is kept in the log."""

EVENT_NAME = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$"
"""(P) One dot. Names of events that are never sent are accepted, too: clients register for all that the vendor has."""

MOST_EXACT_INTEGER = 2**53
"""Up to this, every client reads a JSON number as an integer."""

MOST_SECONDS = 10**9
_UUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_TOKEN = r"[A-Za-z0-9!#$&^_.+-]{1,60}"  # noqa: S105 - of a media type
_MEDIA_TYPE = rf'^{_TOKEN}/{_TOKEN}( {{0,9}}; {{0,9}}{_TOKEN}=({_TOKEN}|"[A-Za-z0-9!#$&^_.+, -]{{1,60}}")){{0,5}}$'
"""With parameters: `audio/webm; codecs="opus"`."""

_WANTS = ("Input should be ", "Input should have ", "String should ")
"""Sentences that say what is wanted may go on with what was given instead."""

DeviceId = Annotated[str, Field(pattern=DEVICE_ID)]
EndUserId = Annotated[str, Field(pattern=END_USER_ID)]
RecordingId = Annotated[str, Field(pattern=r"^rec_[A-Za-z0-9]{1,60}$")]
Milliseconds = Annotated[int, Field(ge=0, le=MOST_EXACT_INTEGER)]
M = TypeVar("M", bound=BaseModel)


_DATE_FIRST = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]", re.ASCII)


def _text_of_a_moment(given: Any) -> Any:
    if not (isinstance(given, str) and _DATE_FIRST.match(given)):  # Pydantic would read "5" as a Unix time
        raise ValueError("Input should be an ISO 8601 time with its zone")
    return given


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("Input should be a time between the years 1 and 9999 in UTC") from None


Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_text_of_a_moment), AfterValidator(_in_utc)]


_DECIMAL = r"^[0-9]{1,16}$"


def _in_digits(given: Any) -> Any:
    return int(given) if isinstance(given, str) and re.fullmatch(_DECIMAL, given, re.ASCII) else given


WholeNumber = Annotated[
    int, BeforeValidator(_in_digits, json_schema_input_type=int | Annotated[str, Field(pattern=_DECIMAL)])
]
"""(D) A number, or one in a text of digits: vendors' clients send either."""


class InvalidRequest(Exception):
    """The request cannot be understood. `field`: where, with dots; empty for the body as a whole."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class BotaRequest(BaseModel):
    # Unknown fields are ignored: vendors' clients send more than a server needs.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class CreateRecording(BotaRequest):
    """POST /v1/recordings (S). `end_user_id` is required with an API key (P); a device token fixes both ids.

    `codec` is what the client announces; what the chunks really are is told by their bytes. Without `streaming` it is
    to be uploaded as one file (P); then what it says of chunks and codec means nothing. A device that names its
    recordings by `recording_uuid` and `recording_generation` creates each once, however often it asks (P).
    """

    streaming: bool = False
    codec: Annotated[str, Field(max_length=100)] = codecs.DEFAULT
    started_at: Moment | None = None
    recorded_at: Moment | None = None
    ended_at: Moment | None = None
    estimated_duration_ms: Milliseconds | None = None
    chunk_duration_ms: Milliseconds | None = None
    device_id: DeviceId | None = None
    end_user_id: EndUserId | None = None
    name: Annotated[str, Field(max_length=500)] | None = None
    metadata: dict[str, Any] | None = None
    source: Source | None = None
    upload_method: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")] | None = None
    recording_uuid: Annotated[str, Field(pattern=_UUID)] | None = None
    recording_generation: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    encryption_version: Annotated[int, Field(ge=0, le=0)] | None = None

    @field_validator("codec")
    @classmethod
    def _can_be_stitched(cls, word: str, given: ValidationInfo) -> str:
        return codecs.streamed_as(word) if given.data.get("streaming") else word

    @field_validator("encryption_version", mode="before")
    @classmethod
    def _is_not_encrypted(cls, version: Any) -> Any:
        if type(version) is int and version != 0:
            raise ValueError(
                "The service has no key to decrypt a recording with: have the device decrypt it, or turn its "
                "encryption off, and create the recording without encryption_version"
            )
        return version

    @field_validator("metadata")
    @classmethod
    def _can_be_kept(cls, metadata: dict[str, Any] | None) -> dict[str, Any] | None:
        try:
            orjson.dumps(metadata)
        except orjson.JSONEncodeError:
            raise ValueError("Input should be nested less deeply") from None
        return metadata


class FinalizeRecording(BotaRequest):
    """POST /v1/recordings/{id}/finalize (S)."""

    total_chunks: Annotated[int, Field(ge=1, le=2**31 - 1)]
    final_duration_ms: Milliseconds
    checksum_md5: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")] | None = None


class RequestUploadUrl(BotaRequest):
    """POST /v1/recordings/{id}/upload-url (P). `captured_at` is checked and not kept (D): the recording has its own.

    What the file is and how large it is may be left out: its bytes tell what it is.
    """

    type: Annotated[str, Field(json_schema_extra={"enum": ["audio"]})] = "audio"
    content_type: Annotated[str, Field(pattern=_MEDIA_TYPE)] = "audio/opus"
    file_size_bytes: Annotated[WholeNumber, Field(ge=1, le=MOST_EXACT_INTEGER)] | None = None
    captured_at: Moment | None = None

    @field_validator("type")
    @classmethod
    def _is_audio(cls, asked: str) -> str:
        if asked != "audio":
            raise ValueError("Input should be 'audio': this service stores neither pictures nor video")
        return asked

    @field_validator("content_type")
    @classmethod
    def _is_no_picture(cls, asked: str) -> str:
        if asked.lower().startswith("image/"):
            raise ValueError("Input should be the type of a sound file: this service stores no pictures")
        return asked


class CompleteUpload(BotaRequest):
    """POST /v1/recordings/{id}/upload-complete (P). What is given is compared with what the service has seen."""

    content_sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    file_size_bytes: Annotated[WholeNumber, Field(ge=0, le=MOST_EXACT_INTEGER)] | None = None
    duration_seconds: Annotated[float, Field(ge=0, le=MOST_SECONDS, allow_inf_nan=False)] | None = None
    recording_id: str | None = None
    """An app's own backend is told which recording is complete, and may pass that on."""


class RequestDownloadUrl(BotaRequest):
    """POST /v1/recordings/{id}/download-url (P)."""

    media_id: str


class TranscribeRecording(BotaRequest):
    """POST /v1/recordings/{id}/transcribe (P). A language that is not said is the one that the service is set to.

    `provider` (D): a name to recognize the answer by; `engine` says what recognized. `diarization` (D) is taken, and
    changes nothing: speakers are told apart where their voices or channels allow it.
    """

    language: LanguageTag | None = None
    provider: Annotated[str, Field(pattern=PROVIDER)] | None = None
    diarization: bool | None = None


class CreateTranscription(TranscribeRecording):
    """POST /v1/transcriptions (P). The same with the recording's id."""

    recording_id: RecordingId


class CreateWebhook(BotaRequest):
    """POST /v1/webhooks (P)."""

    url: Annotated[str, Field(min_length=1, max_length=2048)]
    events: Annotated[
        list[Annotated[str, Field(pattern=EVENT_NAME, max_length=100)]], Field(min_length=1, max_length=50)
    ]


def query_of(model: type[M], query: Mapping[str, str]) -> M:
    """The request in a URL's query; an empty value counts as none. Raises: InvalidRequest."""
    return _checked(model, {name: query[name] for name in model.model_fields if query.get(name)})


def parse(model: type[M], body: bytes) -> M:
    """The request in `body`. Raises: InvalidRequest for the first thing wrong with it."""
    check_json(body)
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("", f"The body is not JSON: {error}.") from None
    if not isinstance(given, dict):
        raise InvalidRequest("", "The body must be a JSON object.")
    return _checked(model, given)


def check_json(body: bytes) -> None:
    """Raises: InvalidRequest for a body that would take long to parse, or could not be written again."""
    try:
        check_bounds(body)
    except JsonTooDeep as error:
        raise InvalidRequest(field_too_deep(body), str(error)) from None
    except JsonTooLarge as error:
        raise InvalidRequest("", str(error)) from None


def parse_create(body: bytes) -> CreateRecording:
    """The same of a recording's announcement, its `metadata` exact to the digit. Raises: InvalidRequest."""
    asked = parse(CreateRecording, body)
    if not asked.metadata:
        return asked
    return asked.model_copy(update={"metadata": exact_loads(body)["metadata"]})


def _checked(model: type[M], given: dict[str, Any]) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(field, _reason(first["type"], first["msg"], first["input"])) from None


def _reason(kind: str, message: str, given: Any) -> str:
    if kind == "missing":
        return "This field is required."
    said = message.removeprefix("Value error, ").replace("a valid dictionary", "an object")
    if isinstance(given, list | dict) and not kind.endswith("_type"):  # right in itself, but not what is in it
        return f"{said.partition(' after validation')[0]}."
    if kind == "value_error" and not said.startswith(_WANTS):
        return f"{said}."
    wanted, colon, why = said.partition(": ")
    return f"{wanted}, not {shown(given)}{colon}{why}."
