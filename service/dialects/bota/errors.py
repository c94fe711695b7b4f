"""From error to Bota's status and body: the one table, and the only place where Bota's error bodies are made.

(S) `{"error": {"type", "message", …}}`; (P) the wider API writes `code` in place of `type`: both are sent.
"""

from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from adapters.blobs.store import StorageFull, StorageUnavailable
from adapters.event_log.recorder import LogFull, LogUnavailable
from domain import errors as domain
from service.application.recordings import Contended
from service.dialects.bota.requests import InvalidRequest
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import BodyCutOff, BodyTooLarge, BodyTooSlow
from service.dialects.http.signed_urls import SignatureRefused


class Unauthorized(Exception):
    def __init__(self) -> None:
        super().__init__("The Authorization header must be 'Bearer' and a key of this service that is in force.")


class Forbidden(Exception):
    def __init__(self, scope: str) -> None:
        super().__init__(f"This key has no permission for {scope}; use a key that has it.")


class NotReady(Exception):
    """Something asked for does not exist yet."""


class TranscriptionNotFound(Exception):
    def __init__(self) -> None:
        super().__init__("There is no such transcription.")


class TranscriptionFailed(Exception):
    """`because`: a sentence."""

    def __init__(self, because: str) -> None:
        super().__init__(f"The transcription failed: {because}")


class NotStreamingRecording(Exception):
    def __init__(self) -> None:
        super().__init__("The recording is uploaded as one file; use upload-url and upload-complete.")


class NotWholeFileRecording(Exception):
    def __init__(self) -> None:
        super().__init__("The recording is streamed in chunks; use its chunk_upload_url_template and finalize.")


class UploadNotVerified(Exception):
    def __init__(self) -> None:
        super().__init__("The file has not arrived whole yet, so nothing is verified; ask again after its PUT.")


class ContentDiffers(Exception):
    """What arrived is not what the client says it sent."""


class WebhookNotFound(Exception):
    def __init__(self) -> None:
        super().__init__("There is no such webhook.")


class DeliveryNotFound(Exception):
    def __init__(self) -> None:
        super().__init__("There is no such delivery.")


class TooManyRequests(Exception):
    def __init__(self, seconds: int) -> None:
        super().__init__(f"There were too many requests; the next is taken in {seconds} seconds.")


class ViewBehind(Exception):
    def __init__(self) -> None:
        super().__init__("The status view is behind; try again.")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    type: str
    headers: tuple[tuple[str, str], ...] = ()


_RETRY_SOON = (("Retry-After", "1"),)

_ANSWERS: dict[type[Exception], _Answer] = {
    InvalidRequest: _Answer(400, "invalid_request"),
    BodyCutOff: _Answer(400, "invalid_request"),
    Unauthorized: _Answer(401, "unauthorized", (("WWW-Authenticate", 'Bearer realm="tapedeck"'),)),
    Forbidden: _Answer(403, "forbidden"),
    SignatureRefused: _Answer(403, "forbidden"),
    BodyTooSlow: _Answer(408, "request_timeout", (("Connection", "close"),)),
    BodyTooLarge: _Answer(413, "payload_too_large", (("Connection", "close"),)),
    StorageFull: _Answer(507, "storage_full", _RETRY_SOON),
    StorageUnavailable: _Answer(503, "storage_unavailable", _RETRY_SOON),
    LogFull: _Answer(507, "storage_full", _RETRY_SOON),
    LogUnavailable: _Answer(503, "storage_unavailable", _RETRY_SOON),
    Contended: _Answer(503, "busy", _RETRY_SOON),
    ViewBehind: _Answer(503, "busy", _RETRY_SOON),
    TranscriptionNotFound: _Answer(404, "not_found"),
    WebhookNotFound: _Answer(404, "not_found"),
    DeliveryNotFound: _Answer(404, "not_found"),
    TooManyRequests: _Answer(429, "rate_limit_exceeded"),
    NotReady: _Answer(409, "not_ready"),
    TranscriptionFailed: _Answer(409, "transcription_failed"),
    NotStreamingRecording: _Answer(400, "not_streaming_recording"),
    NotWholeFileRecording: _Answer(400, "invalid_request"),
    UploadNotVerified: _Answer(425, "verification_pending", _RETRY_SOON),
    ContentDiffers: _Answer(409, "integrity_failure"),
    domain.RecordingNotFound: _Answer(404, "recording_not_found"),
    domain.RecordingAlreadyOpened: _Answer(409, "idempotency_conflict"),
    domain.RecordingExpired: _Answer(409, "recording_expired"),
    domain.RecordingClosed: _Answer(409, "already_finalized"),
    domain.AlreadyFinalized: _Answer(409, "already_finalized"),
    domain.ChunkNumberOutOfRange: _Answer(400, "invalid_request"),
    domain.ChunkBeyondTotal: _Answer(409, "already_finalized"),
    domain.TotalChunksOutOfRange: _Answer(400, "invalid_request"),
    domain.ChunkMismatch: _Answer(409, "chunk_mismatch"),
    domain.NotFailed: _Answer(409, "not_failed"),
}


@web.middleware
async def bota_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns what a handler raises into Bota's answer."""
    try:
        return await handler(request)
    except tuple(_ANSWERS) as error:
        answer = next(_ANSWERS[kind] for kind in type(error).__mro__ if kind in _ANSWERS)
        return error_answer(answer.status, answer.type, str(error), headers=dict(answer.headers), **_details(error))
    except web.HTTPException as refusal:
        return _framework_refusal(request, refusal)


def error_answer(
    status: int, error_type: str, message: str, *, headers: dict[str, str] | None = None, **more: Any
) -> web.Response:
    body = {"error": {"type": error_type, "code": error_type, "message": message, **more}}
    return json_answer(body, status=status, headers=headers)


def _details(error: Exception) -> dict[str, Any]:
    match error:
        case domain.ChunkMismatch(missing=missing, extra=extra):
            return ({"missing_chunks": missing} if missing else {}) | ({"extra_chunks": extra} if extra else {})
        case InvalidRequest(field=field, reason=reason):
            return {"details": {"field": field or None, "reason": reason}}
        case domain.TotalChunksOutOfRange():
            return {"details": {"field": "total_chunks", "reason": str(error)}}
        case domain.ChunkNumberOutOfRange():
            return {"details": {"field": "part", "reason": str(error)}}
        case _:
            return {}


def _framework_refusal(request: web.Request, refusal: web.HTTPException) -> web.Response:
    """What aiohttp refuses by itself, in Bota's form."""
    if refusal.status == 404:  # noqa: PLR2004
        return error_answer(404, "not_found", f"There is nothing at {request.path}.")
    if refusal.status == 405:  # noqa: PLR2004
        allowed = refusal.headers.get("Allow", "")
        return error_answer(
            405,
            "method_not_allowed",
            f"{request.path} takes {allowed}, not {request.method}.",
            headers={"Allow": allowed},
        )
    raise refusal
