"""Bota's operations as the API reference shows them: what is asked, what is answered, who may ask."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from service.dialects.bota import access, answers, exports, paging, requests
from service.dialects.bota.directory.reference import DIRECTORY
from service.dialects.bota.encrypted import ENCRYPTED
from service.dialects.bota.events import PLACE as EVENTS_PLACE
from service.dialects.bota.events import EventsRequest
from service.dialects.bota.keys.operations import OPERATIONS as _KEYS
from service.dialects.bota.live.handlers import LiveRequest
from service.dialects.bota.live.places import PLACE
from service.dialects.bota.operating.operations import OPERATIONS as _OPERATING
from service.dialects.bota.operations import BODY_ERRORS, KEY, NAMED_ONCE, STORING_ERRORS, keyed, unkeyed
from service.dialects.bota.search.operations import OPERATIONS as _SEARCH
from service.dialects.bota.sessions.operations import OPERATIONS as _SESSIONS
from service.dialects.bota.transcript_document import TranscriptionOrDocument
from service.dialects.bota.written_summaries.operations import OPERATIONS as SUMMARIES
from service.dialects.http.event_streams import LAST_EVENT_ID, MEDIA_TYPE
from service.dialects.http.operation import RANGE, Bytes, Operation, ReferencePart

_RECORDING = {"recording_id": r"^rec_[A-Za-z0-9]{1,60}$"}
_TRANSCRIPTION = {"transcription_id": r"^txn_[A-Za-z0-9]{1,60}$"}
_WEBHOOK = {"webhook_id": r"^wh_[A-Za-z0-9]{1,61}$"}
_DELIVERY = {"delivery_id": r"^del_[A-Za-z0-9]{1,60}$"}
_IDEMPOTENCY_KEY = {"Idempotency-Key": {"type": "string", "minLength": 1, "maxLength": 255}}


class SignedQuery(BaseModel):
    """What a signed URL holds; it is used as it was given."""

    expires: Annotated[str, Field(pattern=r"^[0-9]{1,12}$")]
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
    key: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9]{1,60}$")] = None


class SignedUploadQuery(SignedQuery):
    """That of a file whose size was announced has this, too."""

    file_size_bytes: Annotated[str | None, Field(pattern=r"^[0-9]{1,16}$")] = None


def _stored_bytes(path: str, summary: str, *errors: int, **more: Any) -> Operation:
    return keyed(
        "GET",
        path,
        summary,
        access.READ_RECORDINGS,
        {200: Bytes(), 206: Bytes(), 304: None, 416: None},
        *errors,
        404,
        410,
        headers=RANGE,
        **more,
    )


_RECORDINGS = (
    keyed(
        "POST",
        "/v1/recordings",
        "Create a recording, streamed in chunks or uploaded as one file",
        access.CREATE_RECORDING,
        {201: answers.CreatedAnswer},
        404,
        409,
        *BODY_ERRORS,
        *STORING_ERRORS,
        body=requests.CreateRecording,
        headers=_IDEMPOTENCY_KEY,
    ),
    keyed(
        "GET",
        "/v1/recordings",
        "List recordings, newest first",
        access.READ_RECORDINGS,
        {200: answers.ListAnswer[answers.RecordingAnswer]},
        400,
        query=paging.RecordingsPageRequest,
    ),
    keyed(
        "GET",
        "/v1/recordings/{recording_id}",
        "How a recording stands, or stood after one of its events",
        access.READ_RECORDINGS,
        {200: answers.RecordingAnswer},
        400,
        404,
        query=paging.RecordingRequest,
        path_patterns=_RECORDING,
    ),
    keyed(
        "DELETE",
        "/v1/recordings/{recording_id}",
        "Delete a recording and its bytes",
        access.WRITE_RECORDINGS,
        {204: None},
        404,
        507,
        path_patterns=_RECORDING,
    ),
    keyed(
        "POST",
        "/v1/recordings/{recording_id}/finalize",
        "Declare a streamed recording complete",
        access.FINALIZE_RECORDING,
        {200: answers.FinalizedAnswer},
        404,
        409,
        *BODY_ERRORS,
        *STORING_ERRORS,
        body=requests.FinalizeRecording,
        path_patterns=_RECORDING,
    ),
    keyed(
        "GET",
        "/v1/recordings/{recording_id}/chunks",
        "What has arrived, and a fresh template for the rest, or to replace what could not be used",
        access.RESUME_UPLOAD,
        {200: answers.ChunksAnswer},
        404,
        path_patterns=_RECORDING,
    ),
    _stored_bytes(
        "/v1/recordings/{recording_id}/chunks/all",
        "The bytes of all stored chunks, one after another",
        path_patterns=_RECORDING,
    ),
    _stored_bytes(
        "/v1/recordings/{recording_id}/chunks/{number}",
        "The bytes of a chunk as they were stored",
        400,
        path_patterns={**_RECORDING, "number": r"^[0-9]{1,9}$"},
    ),
    keyed(
        "POST",
        "/v1/recordings/{recording_id}/upload-url",
        "Where to PUT the file of a whole-file recording, and a token to complete it with",
        access.UPLOAD_FILE,
        {200: answers.UploadUrlAnswer},
        404,
        409,
        *BODY_ERRORS,
        body=requests.RequestUploadUrl,
        body_is_optional=True,
        headers=_IDEMPOTENCY_KEY,
        path_patterns=_RECORDING,
    ),
    keyed(
        "POST",
        "/v1/recordings/{recording_id}/upload-complete",
        "Declare a whole-file upload complete, and have it verified",
        access.UPLOAD_FILE,
        {200: answers.RecordingAnswer},
        404,
        409,
        425,
        *BODY_ERRORS,
        *STORING_ERRORS,
        body=requests.CompleteUpload,
        body_is_optional=True,
        headers=_IDEMPOTENCY_KEY,
        path_patterns=_RECORDING,
    ),
    keyed(
        "GET",
        "/v1/recordings/{recording_id}/events",
        "A recording's history",
        access.READ_RECORDINGS,
        {200: answers.HistoryAnswer},
        400,
        404,
        query=paging.HistoryPageRequest,
        path_patterns=_RECORDING,
    ),
    keyed(
        "GET",
        "/v1/recordings/{recording_id}/live",
        "What is said in a recording and how far it has come, as server-sent events while it happens",
        access.READ_TRANSCRIPTIONS,
        {200: Bytes(MEDIA_TYPE), 204: None},
        400,
        404,
        query=LiveRequest,
        headers={LAST_EVENT_ID: {"type": "string", "pattern": PLACE}},
        path_patterns=_RECORDING,
    ),
    keyed(
        "GET",
        "/v1/events",
        "All that happens in the project, as server-sent events: the messages that Kafka has",
        access.READ_RECORDINGS,
        {200: Bytes(MEDIA_TYPE)},
        400,
        404,
        query=EventsRequest,
        headers={LAST_EVENT_ID: {"type": "string", "pattern": EVENTS_PLACE}},
    ),
    keyed(
        "POST",
        "/v1/recordings/{recording_id}/retry",
        "Take a failed recording up again, or one whose damaged chunks were replaced",
        access.WRITE_RECORDINGS,
        {202: answers.RecordingAnswer},
        404,
        409,
        507,
        path_patterns=_RECORDING,
    ),
    keyed(
        "GET",
        "/v1/recordings/{recording_id}/download-url",
        "Where to download the audio",
        access.READ_RECORDINGS,
        {200: answers.DownloadUrlAnswer},
        404,
        409,
        path_patterns=_RECORDING,
    ),
    keyed(
        "POST",
        "/v1/recordings/{recording_id}/download-url",
        "Where to download a medium of the recording",
        access.READ_RECORDINGS,
        {200: answers.DownloadUrlAnswer},
        404,
        409,
        *BODY_ERRORS,
        body=requests.RequestDownloadUrl,
        path_patterns=_RECORDING,
    ),
)

_SIGNED = (
    unkeyed(
        "PUT",
        "/v1/uploads/{project_id}/{recording_id}/{file}",
        "Upload a chunk, or a file, to the URL that was given for it",
        {200: None},
        403,
        404,
        409,
        *BODY_ERRORS,
        *STORING_ERRORS,
        body=Bytes(),
        query=SignedUploadQuery,
        is_signed=True,
        headers={"Content-MD5": {"type": "string", "pattern": r"^[A-Za-z0-9+/]{22}==$"}},
        path_patterns={
            "project_id": r"^proj_[A-Za-z0-9]{1,59}$",
            **_RECORDING,
            "file": r"^chunk_[0-9]{1,9}\.[a-z0-9]+$",
        },
    ),
    unkeyed(
        "GET",
        "/v1/downloads/{recording_id}.{ending}",
        "Download the audio from the URL that was given for it",
        {200: Bytes("audio/*"), 206: Bytes("audio/*"), 302: None, 304: None, 416: None},
        403,
        404,
        409,
        503,
        query=SignedQuery,
        is_signed=True,
        headers=RANGE,
        path_patterns={**_RECORDING, "ending": r"^[a-z0-9]{1,8}$"},
    ),
)

_TRANSCRIPTIONS = (
    keyed(
        "POST",
        "/v1/transcriptions",
        "The transcription of a recording whose upload is complete",
        access.WRITE_TRANSCRIPTIONS,
        {201: answers.TranscriptionAnswer},
        404,
        409,
        *BODY_ERRORS,
        507,
        body=requests.CreateTranscription,
    ),
    keyed(
        "POST",
        "/v1/recordings/{recording_id}/transcribe",
        "The same, in its older spelling",
        access.WRITE_TRANSCRIPTIONS,
        {201: answers.TranscriptionAnswer},
        404,
        409,
        *BODY_ERRORS,
        507,
        body=requests.TranscribeRecording,
        body_is_optional=True,
        path_patterns=_RECORDING,
    ),
    keyed(
        "GET",
        "/v1/transcriptions",
        "List transcriptions, newest first",
        access.READ_TRANSCRIPTIONS,
        {200: answers.ListAnswer[answers.TranscriptionAnswer]},
        400,
        query=paging.TranscriptionsPageRequest,
    ),
    keyed(
        "GET",
        "/v1/transcriptions/{transcription_id}",
        "A transcription and its text; or, once it is completed, its transcript as text, subtitles or JSON",
        access.READ_TRANSCRIPTIONS,
        {200: (TranscriptionOrDocument, *(Bytes(media_type) for media_type in exports.FILE_TYPES))},
        400,
        404,
        409,
        query=exports.TranscriptionRequest,
        path_patterns=_TRANSCRIPTION,
    ),
)

_WEBHOOKS = (
    keyed(
        "POST",
        "/v1/webhooks",
        "Register an endpoint; its secret is shown here and never again",
        access.WRITE_WEBHOOKS,
        {201: answers.WebhookCreatedAnswer},
        409,
        507,
        *BODY_ERRORS,
        body=requests.CreateWebhook,
        headers=NAMED_ONCE,
    ),
    keyed(
        "GET",
        "/v1/webhooks",
        "List the project's endpoints",
        access.READ_WEBHOOKS,
        {200: answers.ListAnswer[answers.WebhookAnswer]},
    ),
    keyed(
        "GET",
        "/v1/webhooks/{webhook_id}",
        "An endpoint, and whether it is failing",
        access.READ_WEBHOOKS,
        {200: answers.WebhookAnswer},
        404,
        path_patterns=_WEBHOOK,
    ),
    keyed(
        "DELETE",
        "/v1/webhooks/{webhook_id}",
        "Delete an endpoint",
        access.WRITE_WEBHOOKS,
        {204: None},
        404,
        path_patterns=_WEBHOOK,
    ),
    keyed(
        "GET",
        "/v1/webhooks/{webhook_id}/deliveries",
        "What was sent to an endpoint, attempt by attempt, and what it answered",
        access.READ_WEBHOOKS,
        {200: answers.ListAnswer[answers.DeliveryAnswer]},
        400,
        404,
        query=paging.PageRequest,
        path_patterns=_WEBHOOK,
    ),
    keyed(
        "GET",
        "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}",
        "A delivery, with the body that is sent",
        access.READ_WEBHOOKS,
        {200: answers.WholeDeliveryAnswer},
        404,
        path_patterns={**_WEBHOOK, **_DELIVERY},
    ),
    keyed(
        "POST",
        "/v1/webhooks/{webhook_id}/redeliver",
        "Send again everything that failed in all its attempts",
        access.WRITE_WEBHOOKS,
        {202: answers.RedeliveredAnswer},
        404,
        path_patterns=_WEBHOOK,
    ),
    keyed(
        "POST",
        "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
        "Send one delivery again, whatever came of it",
        access.WRITE_WEBHOOKS,
        {202: answers.DeliveryAnswer},
        404,
        path_patterns={**_WEBHOOK, **_DELIVERY},
    ),
)

_HEALTH = unkeyed(
    "GET", "/health", "Whether the service is well", {200: answers.HealthAnswer, 503: answers.HealthAnswer}
)

REFERENCE = ReferencePart(
    name="Bota",
    summary="Recordings in chunks or whole, their transcriptions, summaries and search, ambient sessions, end users, "
    "devices, webhooks, keys.",
    operations=(
        *_RECORDINGS,
        *_SESSIONS,
        *_SEARCH,
        *_SIGNED,
        *_TRANSCRIPTIONS,
        *SUMMARIES,
        *_WEBHOOKS,
        *DIRECTORY,
        *ENCRYPTED,
        *_KEYS,
        *_OPERATING,
        _HEALTH,
    ),
    security_schemes={
        KEY: {
            "type": "http",
            "scheme": "bearer",
            "description": "A secret key (sk_…) may do everything in its project; a restricted key (rk_…) what its "
            "scopes say; a device token (dtok_…) may create, upload and finalize its own recordings, and "
            "act for its own device; an upload token "
            "(up_…) may upload to its one recording.",
        }
    },
    answer_headers={
        "X-RateLimit-Limit": {"description": "Requests in a minute.", "schema": {"type": "integer"}},
        "X-RateLimit-Remaining": {"description": "How many of them are left.", "schema": {"type": "integer"}},
        "X-RateLimit-Reset": {"description": "When the minute ends, in Unix seconds.", "schema": {"type": "integer"}},
    },
    request_headers=("Bota-Version", "Idempotency-Key"),
)
