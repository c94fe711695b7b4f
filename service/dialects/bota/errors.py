"""From error to Bota's status and body: the one table, and the only place where Bota's error bodies are made.

(S) `{"error": {"type", "message", …}}`; (P) the wider API writes `code` in place of `type`: both are sent.
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from adapters.directory.port import ExternalIdTaken
from adapters.kept_answers import NameReused
from adapters.keys import KeyNotFound, TooManyKeys
from domain import errors as domain
from domain.ambient_session import AmbientSessionNotFound
from domain.events import Failed, Stage
from domain.note_order import NoteOrderDiffers
from domain.summary import RecordingSummary
from service.application.directory import (
    DeviceBoundToAnother,
    DeviceNotBound,
    DeviceNotFound,
    EndUserNotFound,
    TokenRevoked,
)
from service.application.project_keys import OwnKey
from service.application.queries import NoSuchEvent, ViewBehind
from service.application.quotas import KeptQuotaReached, QuotaReached
from service.application.trace import trace_id
from service.application.webhooks import DeliveryNotFound, WebhookNotFound
from service.dialects.bota.requests import InvalidRequest
from service.dialects.http.errors import CLOSE, RETRY_SOON, ErrorTable, Refusal, Row
from service.dialects.http.json_answers import json_answer
from service.dialects.http.signed_urls import SignatureRefused
from service.dialects.http.stored_chunks import ChunksErased, ExpiredChunksErased, NoSuchChunk

_CHUNKS = "GET /v1/recordings/{id}/chunks"
_STORED_BYTES = f"{_CHUNKS}/{{number}} and {_CHUNKS}/all give the stored bytes."
_MEND = (
    f"{_CHUNKS} has a URL to PUT other bytes to, POST /v1/recordings/{{id}}/upload-url one for a whole file, and POST "
    "/v1/recordings/{id}/retry then tries again."
)


class Unauthorized(Exception):
    def __init__(self) -> None:
        super().__init__("The Authorization header must be 'Bearer' and a valid key of this service.")


class Forbidden(Exception):
    def __init__(self, scope: str) -> None:
        super().__init__(f"This key has no permission for {scope}; use a key that has it.")


class SecretKeyNeeded(Exception):
    def __init__(self) -> None:
        super().__init__("Only a secret key of the project may do this.")


class NotReady(Exception):
    """Something asked for does not exist yet."""


class MediaNotFound(Exception):
    def __init__(self) -> None:
        super().__init__("The recording has no such medium; `media` of GET /v1/recordings/{id} has those that it has.")


class AudioNotStored(Exception):
    """The recording has an audio by its history. It was erased a moment ago, or the store has lost it."""

    def __init__(self) -> None:
        super().__init__("The audio is not stored any more.")


class TranscriptionNotFound(Exception):
    def __init__(self) -> None:
        super().__init__("There is no such transcription.")


class TranscriptionFailed(Exception):
    def __init__(self, failed: Failed) -> None:
        helps = {
            Stage.UPLOAD: _STORED_BYTES,
            Stage.STITCH: f"{_STORED_BYTES} {_MEND}",
        }.get(failed.stage, "POST /v1/recordings/{id}/retry tries again.")
        super().__init__(f"The transcription failed: {failed.message} {helps}")


class SummaryNotFound(Exception):
    def __init__(self) -> None:
        super().__init__("There is no such summary.")


class TemplateNotFound(Exception):
    def __init__(self) -> None:
        super().__init__(
            "There is no such template; there are tmpl_general_notes, tmpl_sales_call, tmpl_clinical_soap and "
            "tmpl_legal_memo."
        )


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


class SectionNotFound(Exception):
    def __init__(self) -> None:
        super().__init__("There is no such section of the configuration; there are processing and upload.")


class NotSupported(Exception):
    """The call needs the vendor's keys. `instead`: what does the same here."""

    def __init__(self, instead: str) -> None:
        super().__init__(f"This service does not have the keys that this call needs. {instead}")


class CiphertextRefused(NotSupported):
    """There is a body that nobody will read."""


class TooManyRequests(Exception):
    def __init__(self, seconds: int) -> None:
        super().__init__(f"There were too many requests; the next one is accepted in {seconds} seconds.")


_HELP: Mapping[type[Exception], str] = {
    domain.RecordingClosed: f"{_CHUNKS} lists what is stored, and what of it is damaged.",
    domain.ChunkBeyondTotal: f"{_CHUNKS} lists what is stored; POST /v1/recordings creates another recording.",
    domain.AlreadyFinalized: f"{_CHUNKS} lists what is stored; POST /v1/recordings creates another recording.",
    domain.RecordingExpired: f"POST /v1/recordings does so. {_STORED_BYTES}",
    domain.RecordingTooLarge: f"{_CHUNKS} lists what is stored; POST …/finalize completes it without this chunk.",
    domain.ReplacedTooOften: f"POST /v1/recordings does so. {_STORED_BYTES}",
    domain.RestartedTooOften: f"POST /v1/recordings does so. {_STORED_BYTES}",
    domain.ChunkSizeDiffers: "POST /v1/recordings/{id}/upload-url with its size gives a URL to replace the file.",
    domain.NotFailed: f"{_CHUNKS} lists what is stored, what of it is damaged, and where to PUT other bytes for that.",
    domain.ChunkMismatch: f"{_CHUNKS} lists what is stored and where to PUT the rest; then POST …/finalize again.",
    KeptQuotaReached: "DELETE /v1/recordings/{id} deletes one.",
    NoSuchEvent: "GET /v1/recordings/{id}/events lists its events with their versions.",
    NoSuchChunk: f"{_CHUNKS} lists those that are.",
    ChunksErased: "GET /v1/recordings/{id}/download-url gives that file.",
    ExpiredChunksErased: "POST /v1/recordings does so.",
    SignatureRefused: f"{_CHUNKS} and POST …/upload-url give URLs to upload to while the recording accepts uploads, "
    "GET …/download-url one for the audio, and GET …/chunks/all what is stored.",
    UploadNotVerified: "POST /v1/recordings/{id}/upload-url says where.",
    ContentDiffers: "POST /v1/recordings/{id}/upload-url says where to PUT it again; then POST …/upload-complete.",
}
"""The calls that help, for what is refused because of what a recording has come to."""


def _worded(error: Exception) -> str:
    helps = _HELP.get(type(error))
    return f"{error} {helps}" if helps else str(error)


def failure_told(summary: RecordingSummary, failed: Failed) -> str:
    """Why a recording failed; if it expired, with the calls that give back what was acknowledged of it."""
    is_expired = failed.stage is Stage.UPLOAD and summary.has_bytes
    return f"{failed.message} {_STORED_BYTES}" if is_expired else failed.message


def _expired(summary: RecordingSummary, failed: Failed) -> str:
    return f"{failure_told(summary, failed)} POST /v1/recordings creates another recording."


def not_uploaded(summary: RecordingSummary) -> NotReady:
    """Why there is no transcription of a recording that is not finalized, and which calls help."""
    if summary.failed is not None:
        return NotReady(_expired(summary, summary.failed))
    return NotReady(
        "The recording's upload is not complete; it is transcribed automatically once it is: POST "
        "/v1/recordings/{id}/finalize, or upload-complete for a whole file."
    )


def no_audio(summary: RecordingSummary) -> NotReady:
    """Why there is no audio of a recording that is not stitched, and which calls help."""
    failed = summary.failed
    if failed is None and summary.finalized_at is None:
        return NotReady(
            f"The recording's upload is not complete: POST …/finalize or …/upload-complete. {_STORED_BYTES}"
        )
    if failed is None:
        return NotReady(
            f"The recording's audio is not stitched yet; ask again when its status is processing. {_STORED_BYTES}"
        )
    if failed.stage is Stage.UPLOAD:
        return NotReady(f"There is no audio: {_expired(summary, failed)}")
    return NotReady(f"The recording's stitching failed: {failed.message} {_STORED_BYTES} {_MEND}")


def _write(refusal: Refusal) -> web.Response:
    error = {"type": refusal.code, "code": refusal.code, "message": refusal.sentence, **_details(refusal.error)}
    return json_answer({"error": error | _request_id()}, status=refusal.status, headers=refusal.headers)


def _request_id() -> dict[str, str]:
    """(P) `req_` and letters and digits: (D) those of the request's trace id, by which the log's lines are found."""
    its_trace_id = trace_id.get()
    return {"request_id": f"req_{its_trace_id.replace('-', '')}"} if its_trace_id else {}


def _details(error: Exception | None) -> dict[str, Any]:
    match error:
        case domain.ChunkMismatch(missing=missing, extra=extra):
            return ({"missing_chunks": missing} if missing else {}) | ({"extra_chunks": extra} if extra else {})
        case InvalidRequest(field=field, reason=reason):
            return _at_field(field, reason)
        case domain.TotalChunksOutOfRange():
            return _at_field("total_chunks", str(error))
        case domain.ChunkNumberOutOfRange():
            return _at_field("part", str(error))
        case ExternalIdTaken():
            return {"param": "external_id"}
        case QuotaReached(quota=quota, most=most):
            return {"quota": quota.value, "limit": most}
        case _:
            return {}


def _at_field(field: str, reason: str) -> dict[str, Any]:
    """(P) Older pages have `details`, newer ones `param`: both are sent; no `param` for the body as a whole."""
    return {"details": {"field": field or None, "reason": reason}} | ({"param": field} if field else {})


_HOW_TO_AUTHENTICATE = {"WWW-Authenticate": 'Bearer realm="tapedeck"'}

ERRORS = ErrorTable(
    {
        InvalidRequest: Row(400, "invalid_request"),
        Unauthorized: Row(401, "unauthorized", _HOW_TO_AUTHENTICATE),
        TokenRevoked: Row(401, "unauthorized", _HOW_TO_AUTHENTICATE),
        Forbidden: Row(403, "forbidden"),
        SecretKeyNeeded: Row(403, "forbidden"),
        KeyNotFound: Row(404, "not_found", sentence="There is no such key."),
        OwnKey: Row(409, "own_key"),
        TooManyKeys: Row(409, "too_many_keys"),
        ViewBehind: Row(503, "busy", RETRY_SOON),
        NoSuchEvent: Row(404, "version_not_found"),
        MediaNotFound: Row(404, "not_found"),
        AudioNotStored: Row(404, "not_found"),
        TranscriptionNotFound: Row(404, "not_found"),
        SummaryNotFound: Row(404, "not_found"),
        AmbientSessionNotFound: Row(404, "not_found", sentence="There is no such ambient session."),
        TemplateNotFound: Row(404, "template_not_found"),
        NoteOrderDiffers: Row(409, "idempotency_conflict"),
        WebhookNotFound: Row(404, "not_found"),
        DeliveryNotFound: Row(404, "not_found"),
        EndUserNotFound: Row(404, "not_found"),
        DeviceNotFound: Row(404, "not_found"),
        SectionNotFound: Row(404, "not_found"),
        ExternalIdTaken: Row(
            409,
            "resource_already_exists",
            sentence="Another end user has this external_id; GET /v1/end-users?external_id=… gives them.",
        ),
        DeviceBoundToAnother: Row(409, "device_already_bound"),
        DeviceNotBound: Row(409, "device_not_bound"),
        NameReused: Row(409, "idempotency_conflict"),
        TooManyRequests: Row(429, "rate_limit_exceeded"),
        NotReady: Row(409, "not_ready"),
        TranscriptionFailed: Row(409, "transcription_failed"),
        NotStreamingRecording: Row(400, "not_streaming_recording"),
        NotWholeFileRecording: Row(400, "invalid_request"),
        UploadNotVerified: Row(425, "verification_pending", RETRY_SOON),
        ContentDiffers: Row(409, "integrity_failure"),
        NotSupported: Row(422, "not_supported"),
        CiphertextRefused: Row(422, "not_supported", CLOSE),
    },
    _write,
    worded=_worded,
)
