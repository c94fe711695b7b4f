"""What Bota's clients send, checked strictly: a number is a number, and an error names its field."""

from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

CODECS = ("opus", "ogg", "wav", "flac", "mp3", "aac", "m4a", "webm")
"""What a client may announce. What the chunks really are is told by their bytes."""

MOST_MILLISECONDS = 2**53
"""Up to here a JSON number is an integer for every client."""

DeviceId = Annotated[str, Field(pattern=r"^dev_[A-Za-z0-9]{1,60}$")]
EndUserId = Annotated[str, Field(pattern=r"^eu_[A-Za-z0-9]{1,61}$")]
Milliseconds = Annotated[int, Field(ge=0, le=MOST_MILLISECONDS)]
M = TypeVar("M", bound=BaseModel)


class InvalidRequest(Exception):
    """The request cannot be understood. `field` is where, with dots; empty for the body as a whole."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class _Request(BaseModel):
    # What we do not know is ignored: vendors' clients send more than a server needs.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class CreateRecording(_Request):
    """POST /v1/recordings (S). `end_user_id` is required with an API key (P); a device token fixes both ids."""

    streaming: bool
    codec: Literal["opus", "ogg", "wav", "flac", "mp3", "aac", "m4a", "webm"] = "opus"
    started_at: Annotated[AwareDatetime | None, Field(strict=False)] = None
    ended_at: Annotated[AwareDatetime | None, Field(strict=False)] = None
    estimated_duration_ms: Milliseconds | None = None
    chunk_duration_ms: Milliseconds | None = None
    device_id: DeviceId | None = None
    end_user_id: EndUserId | None = None
    name: Annotated[str, Field(max_length=500)] | None = None
    metadata: dict[str, Any] | None = None

    @field_validator("streaming")
    @classmethod
    def _is_streaming(cls, streaming: bool) -> bool:
        if not streaming:
            raise ValueError("Input should be true: only streaming recordings are taken here")
        return streaming


class FinalizeRecording(_Request):
    """POST /v1/recordings/{id}/finalize (S)."""

    total_chunks: Annotated[int, Field(ge=1, le=2**31 - 1)]
    final_duration_ms: Milliseconds
    checksum_md5: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")] | None = None


def parse(model: type[M], body: bytes) -> M:
    """The request in `body`. Raises: InvalidRequest for the first thing wrong with it."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("", f"The body is not JSON: {error}.") from None
    if not isinstance(given, dict):
        raise InvalidRequest("", "The body must be a JSON object.")
    try:
        return model.model_validate(given)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(field, _reason(first["type"], first["msg"], first["input"])) from None


def _reason(kind: str, message: str, given: Any) -> str:
    if kind == "missing":
        return "This field is required."
    shown = repr(given)
    shown = shown if len(shown) <= 80 else shown[:80] + "…"  # noqa: PLR2004 - enough to know it by
    return f"{message.removeprefix('Value error, ')}, not {shown}."
