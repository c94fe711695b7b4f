"""What Dragon's API answers, as models: (S) for the audio, (D) for sessions, of which the vendor shows no body."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from domain import events

RecordingStatus = Literal["receiving", "processing", "completed", "failed", "expired"]


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, serialize_by_alias=True)


class SuccessResponse(_Response):
    """(S)"""

    error: None = None


class SuspectChunk(_Response):
    """(D) A chunk that cannot be audio by its first bytes."""

    model_config = ConfigDict(populate_by_name=True)

    chunk_id: int
    looks_like: str


def suspects_named(suspects: Iterable[events.SuspectChunk]) -> list[SuspectChunk] | None:
    """In Dragon's words; None if there is none."""
    return [SuspectChunk(chunk_id=suspect.number, looks_like=suspect.looks_like) for suspect in suspects] or None


SuspectChunks = Annotated[list[SuspectChunk] | None, Field(exclude_if=lambda value: value is None)]
"""(D) Only there if there is any, and at most a hundred of them."""


class FinalizeResponse(SuccessResponse):
    """(S), and (D) the chunks that cannot be audio."""

    model_config = ConfigDict(populate_by_name=True)

    suspect_chunks: SuspectChunks = None


class ErrorResponse(_Response):
    """(S) All that is wrong, in one string."""

    error: str


class FailureStatus(_Response):
    """(D) Why a recording failed: at which stage, a code, a sentence."""

    stage: str
    reason: str
    message: str


class DamageStatus(_Response):
    """(D) A chunk that could not be used, in whole or in part: its number, a code, a sentence."""

    model_config = ConfigDict(populate_by_name=True)

    chunk_id: int
    reason: str
    message: str


class ChunkStatus(_Response):
    """(D) A stored chunk. `is_damaged` until other bytes replace it."""

    model_config = ConfigDict(populate_by_name=True)

    chunk_id: int
    size_bytes: int
    sha256: str
    stored_at: str
    is_damaged: bool


class ChunksResponse(SuccessResponse):
    """(D) How a recording stands, and what is stored of it."""

    model_config = ConfigDict(populate_by_name=True)

    status: RecordingStatus
    total_chunks: int | None
    failure: FailureStatus | None
    damage: list[DamageStatus]
    suspect_chunks: SuspectChunks = None
    chunks: list[ChunkStatus]


class SessionResponse(SuccessResponse):
    """(D) The session in the request's own words."""

    model_config = ConfigDict(populate_by_name=True)

    correlation_id: str
    customer_id: str
    partner_id: str
    product_id: str
    external_user_id: str | None
    ehr_instance_id: str | None
    status: Literal["active", "ended"]
