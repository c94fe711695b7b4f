"""From error to Dorsum's status and body: its rows, and the only place where Dorsum's error bodies are made.

(D) `{"message": "one sentence", "code": the status}`.
"""

from aiohttp import web

from adapters.speech.port import EngineRefused, EngineUnavailable, UnsupportedLanguage
from adapters.worker_processes import WorkerError
from domain import errors as domain
from service.application.consultations import NotReadyInTime, ProcessingFailed
from service.application.live_recognition import TooMuchWaiting
from service.dialects.dorsum.access import BadKeys
from service.dialects.dorsum.answers import ConsultationErrorAnswer
from service.dialects.dorsum.requests import InvalidRequest
from service.dialects.dorsum.samples import BadSample, NoSamples, NotJson
from service.dialects.http.errors import ErrorTable, Refusal, Row
from service.dialects.http.json_answers import json_answer

_RETRY_LATER = {"Retry-After": "5"}
_ENDED = "The session has ended with its final chunk; start a new one."
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
        UnsupportedLanguage: Row(400),
        BadKeys: Row(401),
        ProcessingFailed: Row(500),
        EngineRefused: Row(500, sentence="The chunk is stored, but the speech engine refused it."),
        EngineUnavailable: Row(503, headers=_RETRY_LATER, sentence=_NOT_RECOGNIZED),
        WorkerError: Row(503, headers=_RETRY_LATER, sentence=_NOT_RECOGNIZED),
        NotReadyInTime: Row(503, headers=_RETRY_LATER),
        TooMuchWaiting: Row(503),
        domain.RecordingNotFound: Row(404, sentence="There is no such session."),
        domain.AlreadyFinalized: Row(409, sentence=_ENDED),
        domain.RecordingExpired: Row(409, sentence="The session has expired; start a new one."),
        domain.ChunkNumberOutOfRange: Row(409, sentence="The session has all the chunks it may have; start a new one."),
    },
    _write,
)
