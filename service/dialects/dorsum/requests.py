"""What Dorsum's clients send, checked strictly: an error names its field and, for samples, the first bad index."""

import hashlib
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from service.application.uploads import ArrivedChunk
from service.dialects.dorsum.bad_samples import TooManySamples
from service.dialects.dorsum.names import session_name
from service.dialects.dorsum.samples import CHUNK_SAMPLES, parse_body
from service.dialects.http.language_tags import LanguageTag
from service.dialects.http.wrong_values import shown

SESSION_ID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$"
LONGEST_IDEMPOTENCY_KEY = 255

OutputFormat = Literal["text", "json"]
SampleArray = Annotated[
    list[float],
    WithJsonSchema({"type": "array", "items": {"type": "number"}, "maxItems": CHUNK_SAMPLES}),
]


class InvalidRequest(Exception):
    """The request cannot be understood; the sentence names the field."""


class Fields(BaseModel):
    """Everything but the samples. What we do not know is ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    session_id: Annotated[str, Field(pattern=SESSION_ID)]
    is_final: bool = False
    previous_transcript: str | None = ""
    language: LanguageTag = "en"
    output_format: OutputFormat = "text"


class TranscribeRequest(Fields):
    """POST /api/consultations/transcribe (S).

    `chunk`: 16 kHz mono PCM, as 16-bit integers or as floats from -1 to 1, the same in all chunks of a session; exactly
    480 000 samples, or in the final chunk up to as many.
    """

    chunk: SampleArray


def read_request(body: bytes, idempotency_key: str | None) -> tuple[Fields, ArrivedChunk]:
    """The request in a body. For a thread: it takes a few milliseconds.

    Raises: InvalidRequest; NotJson, NoSamples, BadSample; JsonTooLarge.
    """
    try:
        parsed = parse_body(body)
    except TooManySamples as error:
        raise _miscounted(_checked(error.fields), error.count) from None
    fields = _checked(parsed.fields)
    count = len(parsed.samples)
    if count > CHUNK_SAMPLES or (count < CHUNK_SAMPLES and not fields.is_final):
        raise _miscounted(fields, count)
    samples = parsed.samples.tobytes()
    sha256 = hashlib.sha256(samples).hexdigest()
    return fields, ArrivedChunk(
        content=samples,
        sha256=sha256,
        request_sha256=_request_sha256(fields, sha256, idempotency_key),
        request_is_named=idempotency_key is not None,
        is_last=fields.is_final,
        sample_scale=parsed.scale,
    )


def _miscounted(fields: Fields, count: int) -> InvalidRequest:
    wanted = f"at most {CHUNK_SAMPLES}" if fields.is_final else f"exactly {CHUNK_SAMPLES}"
    kind = "The final chunk" if fields.is_final else "A chunk"
    return InvalidRequest(f"{kind} must have {wanted} samples (30 seconds at 16 kHz), not {count}.")


def session_named(session_id: str) -> str:
    """The session that a path names, in canonical spelling. Raises: InvalidRequest."""
    if not _SESSION_ID.fullmatch(session_id):
        raise InvalidRequest(f"session_id: This must be a UUID of version 4, not {session_id[:80]!r}.")
    return session_name(session_id)


_SESSION_ID = re.compile(SESSION_ID, re.ASCII)


def _request_sha256(fields: Fields, samples_sha256: str, idempotency_key: str | None) -> str:
    """What identifies a request: its key if it has one, else its samples and `previous_transcript` (D).

    The session's id is part of it, so that equal words in two sessions do not look alike in the log.
    """
    said = f"name {idempotency_key}" if idempotency_key else f"{samples_sha256} {fields.previous_transcript or ''}"
    return hashlib.sha256(f"{session_name(fields.session_id)} {said}".encode("utf-8", "surrogatepass")).hexdigest()


def _checked(given: dict[str, Any]) -> Fields:
    try:
        return Fields.model_validate(given)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        field = str(first["loc"][0])
        raise InvalidRequest(f"{field}: {_reason(field, first['type'], first['input'])}") from None


_WANTED = {
    "session_id": "This must be a UUID of version 4",
    "is_final": "This must be true or false",
    "previous_transcript": "This must be a string",
    "language": "This must be a language tag of BCP 47, such as en, es-419 or zh-Hant",
    "output_format": "This must be text or json",
}


def _reason(field: str, kind: str, given: Any) -> str:
    if kind == "missing":
        return "This field is required."
    return f"{_WANTED[field]}, not {shown(given)}."
