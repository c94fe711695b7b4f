"""From error to Bota's status and body: the one table, and the only place where Bota's error bodies are made.

(S) `{"error": {"type", "message", …}}`; (P) the wider API writes `code` in place of `type`: both are sent.
"""

from typing import Any

from aiohttp import web

from domain import errors as domain
from service.application.queries import ViewBehind
from service.application.webhooks import DeliveryNotFound, WebhookNotFound
from service.dialects.bota.requests import InvalidRequest
from service.dialects.http.errors import RETRY_SOON, ErrorTable, Refusal, Row
from service.dialects.http.json_answers import json_answer


class Unauthorized(Exception):
    def __init__(self) -> None:
        super().__init__("The Authorization header must be 'Bearer' and a valid key of this service.")


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


_ELSEWHERE = "The recording was created over another API; upload and finalize it there."


class NotStreamingRecording(Exception):
    """`is_elsewhere`: the recording was created over another API."""

    def __init__(self, *, is_elsewhere: bool) -> None:
        super().__init__(
            _ELSEWHERE if is_elsewhere else "The recording is uploaded as one file; use upload-url and upload-complete."
        )


class NotWholeFileRecording(Exception):
    """`is_elsewhere`: the recording was created over another API."""

    def __init__(self, *, is_elsewhere: bool) -> None:
        super().__init__(
            _ELSEWHERE
            if is_elsewhere
            else "The recording is streamed in chunks; use its chunk_upload_url_template and finalize."
        )


class UploadNotVerified(Exception):
    def __init__(self) -> None:
        super().__init__("The file has not arrived completely, so nothing is verified; ask again after its PUT.")


class ContentDiffers(Exception):
    """What arrived differs from what the client says it sent."""


class TooManyRequests(Exception):
    def __init__(self, seconds: int) -> None:
        super().__init__(f"There were too many requests; the next one is accepted in {seconds} seconds.")


def _write(refusal: Refusal) -> web.Response:
    error = {"type": refusal.code, "code": refusal.code, "message": refusal.sentence, **_details(refusal.error)}
    return json_answer({"error": error}, status=refusal.status, headers=refusal.headers)


def _details(error: Exception | None) -> dict[str, Any]:
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


ERRORS = ErrorTable(
    {
        InvalidRequest: Row(400, "invalid_request"),
        Unauthorized: Row(401, "unauthorized", {"WWW-Authenticate": 'Bearer realm="tapedeck"'}),
        Forbidden: Row(403, "forbidden"),
        ViewBehind: Row(503, "busy", RETRY_SOON),
        TranscriptionNotFound: Row(404, "not_found"),
        WebhookNotFound: Row(404, "not_found"),
        DeliveryNotFound: Row(404, "not_found"),
        TooManyRequests: Row(429, "rate_limit_exceeded"),
        NotReady: Row(409, "not_ready"),
        TranscriptionFailed: Row(409, "transcription_failed"),
        NotStreamingRecording: Row(400, "not_streaming_recording"),
        NotWholeFileRecording: Row(400, "invalid_request"),
        UploadNotVerified: Row(425, "verification_pending", RETRY_SOON),
        ContentDiffers: Row(409, "integrity_failure"),
    },
    _write,
)
