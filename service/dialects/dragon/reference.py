"""Dragon's operations as the API reference shows them. A test keeps these bodies equal to what `requests` reads."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from service.dialects.dragon.answers import (
    ChunksResponse,
    ErrorResponse,
    FinalizeResponse,
    SessionResponse,
    SuccessResponse,
)
from service.dialects.dragon.names import LARGEST_INT32
from service.dialects.dragon.requests import CORRELATION_ID, LONGEST_TEXT, UUID
from service.dialects.http.operation import RANGE, Body, Bytes, Form, Operation, ReferencePart
from service.dialects.http.tracing import TRACE_HEADER

TOKEN = "dragonToken"  # noqa: S105 - the scheme's name

CorrelationId = Annotated[str, Field(pattern=f"^{CORRELATION_ID}$")]
Uuid = Annotated[str, Field(pattern=f"^{UUID}$")]
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
Flag = bool | None
Positive = Annotated[int, Field(ge=1, le=LARGEST_INT32)]


class _CamelCase(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _Named(_CamelCase):
    product_id: Uuid
    partner_id: Uuid
    customer_id: Uuid
    correlation_id: CorrelationId
    external_user_id: Text | None = None
    ehr_instance_id: Text | None = None


class AmbientSession(_Named):
    data: Annotated[str, Field(json_schema_extra={"contentMediaType": "application/json"})] | None = None


class AudioFinalizeUploadMetadata(_Named):
    recording_id: Positive
    total_chunks: Annotated[Positive, Field(description="Every chunk counts, also a first one that holds no audio.")]
    skip_ambient_session_existence: Flag = None


class AudioStoreChunkMetadata(_Named):
    recording_id: Positive
    chunk_id: Positive
    is_last: Flag = None
    skip_ambient_session_existence: Flag = None


class AudioRetryUploadMetadata(_Named):
    recording_id: Positive
    skip_ambient_session_existence: Flag = None


class AudioQuery(_CamelCase):
    api_version: Annotated[Literal["2025-07-15"], Field(alias="api-version")]
    customer_id: Uuid | None = None


class RecordingQuery(_Named):
    api_version: Annotated[Literal["2025-07-15"], Field(alias="api-version")]
    recording_id: Positive
    skip_ambient_session_existence: Literal["true", "false"] | None = None


class SessionQuery(_CamelCase):
    api_version: Annotated[Literal["2"], Field(alias="api-version")]
    customer_id: Uuid | None = None


class SessionEndQuery(_CamelCase):
    api_version: Annotated[Literal["2"], Field(alias="api-version")]
    customer_id: Uuid


def _operation(method: str, path: str, summary: str, answer: Body, *errors: int, **more: Any) -> Operation:
    answers: Mapping[int, Body | tuple[Body, ...]] = {
        200: answer,
        **dict.fromkeys((400, 403, 500, *errors), ErrorResponse),
        401: (Bytes("text/plain"), ErrorResponse),
    }
    return Operation(method=method, path=path, summary=summary, answers=answers, security=TOKEN, **more)


_UUID_HEADER = {TRACE_HEADER: {"type": "string", "pattern": f"^{UUID}$"}}
_OF_AUDIO: dict[str, Any] = {
    "query": AudioQuery,
    "headers": _UUID_HEADER,
    "required_headers": frozenset({TRACE_HEADER}),
}

_OF_ONE_RECORDING: dict[str, Any] = _OF_AUDIO | {"query": RecordingQuery}


def _stored_bytes(path: str, summary: str, **more: Any) -> Operation:
    answers: Mapping[int, Body | tuple[Body, ...]] = {
        200: Bytes(),
        206: Bytes(),
        304: None,
        416: None,
        **dict.fromkeys((400, 403, 404, 410, 500), ErrorResponse),
        401: (Bytes("text/plain"), ErrorResponse),
    }
    headers = {**_UUID_HEADER, **RANGE}
    return Operation(
        method="GET",
        path=path,
        summary=summary,
        answers=answers,
        security=TOKEN,
        **_OF_ONE_RECORDING | {"headers": headers} | more,
    )


REFERENCE = ReferencePart(
    name="Dragon",
    summary="Dragon Copilot's ambient audio: sessions, chunks and finalize in any order.",
    operations=(
        _operation(
            "PUT",
            "/ambient-sessions",
            "Announce an ambient session, or change what is known of it",
            SessionResponse,
            408,
            409,
            413,
            415,
            503,
            query=SessionQuery,
            body=AmbientSession,
        ),
        _operation(
            "DELETE",
            "/ambient-sessions/{correlation_id}",
            "End an ambient session: no further recording begins in it",
            SessionResponse,
            404,
            query=SessionEndQuery,
            path_patterns={"correlation_id": f"^{CORRELATION_ID}$"},
        ),
        _operation(
            "PUT",
            "/audio/storeChunk",
            "Store a chunk; the first, or the last, may be metadata alone",
            SuccessResponse,
            404,
            408,
            409,
            413,
            415,
            429,
            503,
            507,
            body=Form(json_parts={"metadata": AudioStoreChunkMetadata}, file_parts=("content",)),
            **_OF_AUDIO,
        ),
        _operation(
            "POST",
            "/audio/finalizeUpload",
            "Say how many chunks a recording has, before or after they are stored",
            FinalizeResponse,
            404,
            408,
            409,
            413,
            415,
            429,
            503,
            507,
            body=AudioFinalizeUploadMetadata,
            **_OF_AUDIO,
        ),
        _operation(
            "GET",
            "/audio/chunks",
            "How a recording stands, and which chunks of it are stored",
            ChunksResponse,
            404,
            503,
            **_OF_ONE_RECORDING,
        ),
        _stored_bytes("/audio/chunks/all", "The bytes of all stored chunks, one after another"),
        _stored_bytes(
            "/audio/chunks/{chunk_id}",
            "The bytes of a chunk as they were stored",
            path_patterns={"chunk_id": r"^[1-9][0-9]{0,8}$"},
        ),
        _operation(
            "POST",
            "/audio/retryUpload",
            "Take a failed recording up again, or one whose damaged chunks were replaced",
            SuccessResponse,
            404,
            408,
            409,
            413,
            415,
            503,
            body=AudioRetryUploadMetadata,
            **_OF_AUDIO,
        ),
    ),
    security_schemes={
        TOKEN: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A server-to-server token of an issuer on the allow list, for an application on it, which "
            "may write for the customers, partners and products that are listed with it.",
        }
    },
    answer_headers={TRACE_HEADER: {"description": "The request's trace id.", "schema": {"type": "string"}}},
)
