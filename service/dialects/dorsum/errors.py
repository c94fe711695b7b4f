"""From error to Dorsum's status and body: its rows, and the only place where Dorsum's error bodies are made.

(D) `{"message": "one sentence", "code": the status}`.
"""

from aiohttp import web

from adapters.speech.port import EngineRefused, EngineUnavailable, UnsupportedLanguage
from adapters.worker_processes import WorkerError
from domain import errors as domain
from service.application.bounded_json import JsonTooLarge
from service.application.consultations import NotReadyInTime, ProcessingFailed
from service.application.live_recognition import TooMuchWaiting
from service.dialects.dorsum.access import BadKeys
from service.dialects.dorsum.answers import ConsultationErrorAnswer
from service.dialects.dorsum.bad_samples import BadSample, NoSamples, NotJson
from service.dialects.dorsum.requests import InvalidRequest
from service.dialects.http.errors import CLOSE, ErrorTable, Refusal, Row
from service.dialects.http.held_bytes import TooMuchHeld
from service.dialects.http.json_answers import json_answer
from service.dialects.http.stored_chunks import ChunksErased, ExpiredChunksErased, NoSuchChunk

_RETRY_LATER = {"Retry-After": "5"}
_SESSION = "/api/consultations/{session_id}"
_STORED_BYTES = f"GET {_SESSION}/chunks/{{number}} and {_SESSION}/chunks/all give what is stored of it."
_ENDED = f"The session has ended with its final chunk; start a new one. {_STORED_BYTES}"
_EXPIRED = f"The session has expired; start a new one. {_STORED_BYTES}"
_FULL = f"The session has all the chunks it may have; start a new one. {_STORED_BYTES}"
_FAILED = (
    "The consultation could not be processed; all its chunks are stored. Send the final chunk again, or POST "
    f"{_SESSION}/retry; {_STORED_BYTES}"
)
_NOT_FAILED = f"The session has not failed, so there is nothing to retry; GET {_SESSION} tells how it stands."
_NO_NOTE = f"The session has no note yet; GET {_SESSION} tells how it stands."
_NO_SUCH_CHUNK = f"No chunk of this number is stored; GET {_SESSION}/chunks lists those that are."
_ERASED = (
    "The chunks were erased some time after they were stitched into one file; a key that may read recordings gets it "
    "at GET /v1/recordings/{id}/download-url."
)
_EXPIRED_ERASED = (
    "The session expired before its final chunk came, and its chunks were erased some time after that; start a new one."
)
_OFTEN = f"The session was retried as often as it may be; its chunks stay. Start a new one. {_STORED_BYTES}"
_NOT_RECOGNIZED = "The chunk is stored, but could not be recognized now; send it again."


def _write(refusal: Refusal) -> web.Response:
    headers = refusal.headers
    if isinstance(refusal.error, TooMuchWaiting):
        headers = {"Retry-After": str(refusal.error.retry_after_seconds)}
    body = ConsultationErrorAnswer(message=refusal.sentence, code=refusal.status)
    return json_answer(body, status=refusal.status, headers=headers)


ERRORS = ErrorTable(
    {
        InvalidRequest: Row(400),
        NotJson: Row(400),
        NoSamples: Row(400),
        BadSample: Row(400),
        JsonTooLarge: Row(400),
        UnsupportedLanguage: Row(400),
        BadKeys: Row(401),
        ProcessingFailed: Row(500, sentence=_FAILED),
        EngineRefused: Row(500, sentence="The chunk is stored, but the speech engine refused it."),
        EngineUnavailable: Row(503, headers=_RETRY_LATER, sentence=_NOT_RECOGNIZED),
        WorkerError: Row(503, headers=_RETRY_LATER, sentence=_NOT_RECOGNIZED),
        NotReadyInTime: Row(503, headers=_RETRY_LATER),
        TooMuchWaiting: Row(503),
        TooMuchHeld: Row(503, headers=_RETRY_LATER | CLOSE),
        domain.RecordingNotFound: Row(404, sentence="There is no such session."),
        domain.AlreadyFinalized: Row(409, sentence=_ENDED),
        domain.RecordingExpired: Row(409, sentence=_EXPIRED),
        domain.ChunkNumberOutOfRange: Row(409, sentence=_FULL),
        domain.NotFailed: Row(409, sentence=_NOT_FAILED),
        domain.NoNote: Row(409, sentence=_NO_NOTE),
        NoSuchChunk: Row(404, sentence=_NO_SUCH_CHUNK),
        domain.RestartedTooOften: Row(409, sentence=_OFTEN),
        ChunksErased: Row(410, sentence=_ERASED),
        ExpiredChunksErased: Row(410, sentence=_EXPIRED_ERASED),
    },
    _write,
)
