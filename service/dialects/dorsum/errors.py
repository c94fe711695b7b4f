"""From error to Dorsum's status and body: the one table, and the only place where Dorsum's error bodies are made.

(D) `{"message": "one sentence", "code": the status}`.
"""

from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from adapters.blobs.port import StorageFull, StorageUnavailable
from adapters.event_log.port import LogFull, LogUnavailable
from adapters.speech.port import EngineRefused, EngineUnavailable, UnsupportedLanguage
from adapters.worker_processes import WorkerError
from domain import errors as domain
from service.application.consultations import NotReadyInTime, ProcessingFailed
from service.application.live_recognition import TooMuchWaiting
from service.application.recordings import Contended
from service.dialects.dorsum.access import BadKeys
from service.dialects.dorsum.answers import ConsultationErrorAnswer
from service.dialects.dorsum.requests import InvalidRequest
from service.dialects.dorsum.samples import BadSample, NoSamples, NotJson
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import BodyCutOff, BodyTooLarge, BodyTooSlow

PATHS = "/api/consultations/"


@dataclass(frozen=True, slots=True)
class _Answer:
    """`sentence` where Dorsum's clients need other words than the error's own."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    sentence: str | None = None


_CLOSE = (("Connection", "close"),)
_RETRY_SOON = (("Retry-After", "1"),)
_RETRY_LATER = (("Retry-After", "5"),)
_NO_SESSION = "There is no such session."
_ENDED = "The session has ended with its final chunk; start a new one."
_NOT_HEARD = "The chunk is stored, and could not be recognized now; send it again."

_ANSWERS: dict[type[Exception], _Answer] = {
    InvalidRequest: _Answer(400),
    NotJson: _Answer(400),
    NoSamples: _Answer(400),
    BadSample: _Answer(400),
    UnsupportedLanguage: _Answer(400),
    BodyCutOff: _Answer(400),
    BadKeys: _Answer(401),
    BodyTooSlow: _Answer(408, _CLOSE),
    BodyTooLarge: _Answer(413, _CLOSE),
    ProcessingFailed: _Answer(500),
    EngineRefused: _Answer(500, sentence="The chunk is stored, and the speech engine refused it."),
    EngineUnavailable: _Answer(503, _RETRY_LATER, _NOT_HEARD),
    WorkerError: _Answer(503, _RETRY_LATER, _NOT_HEARD),
    NotReadyInTime: _Answer(503, _RETRY_LATER),
    TooMuchWaiting: _Answer(503),
    StorageFull: _Answer(507, _RETRY_SOON),
    StorageUnavailable: _Answer(503, _RETRY_SOON),
    LogFull: _Answer(507, _RETRY_SOON),
    LogUnavailable: _Answer(503, _RETRY_SOON),
    Contended: _Answer(503, _RETRY_SOON),
    domain.RecordingNotFound: _Answer(404, sentence=_NO_SESSION),
    domain.AlreadyFinalized: _Answer(409, sentence=_ENDED),
    domain.NamedRequestDiffers: _Answer(409),
    domain.RecordingExpired: _Answer(409, sentence="The session has taken chunks long enough; start a new one."),
    domain.ChunkNumberOutOfRange: _Answer(409, sentence="The session has as many chunks as it may; start a new one."),
}


@web.middleware
async def dorsum_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns what a Dorsum path's handler raises into Dorsum's answer; leaves other paths alone."""
    if not is_dorsum(request):
        return await handler(request)
    try:
        return await handler(request)
    except tuple(_ANSWERS) as error:
        answer = next(_ANSWERS[kind] for kind in type(error).__mro__ if kind in _ANSWERS)
        headers = dict(answer.headers)
        if isinstance(error, TooMuchWaiting):
            headers["Retry-After"] = str(error.retry_after_seconds)
        return error_answer(answer.status, answer.sentence or str(error), headers=headers)
    except web.HTTPException as refusal:
        return _framework_refusal(request, refusal)


def is_dorsum(request: web.Request) -> bool:
    return request.path.startswith(PATHS)


def error_answer(status: int, sentence: str, *, headers: dict[str, str] | None = None) -> web.Response:
    return json_answer(ConsultationErrorAnswer(message=sentence, code=status), status=status, headers=headers)


def _framework_refusal(request: web.Request, refusal: web.HTTPException) -> web.Response:
    """What aiohttp refuses by itself, in Dorsum's form."""
    if refusal.status == 404:  # noqa: PLR2004
        return error_answer(404, f"There is nothing at {request.path}.")
    if refusal.status == 405:  # noqa: PLR2004
        allowed = refusal.headers.get("Allow", "")
        sentence = f"{request.path} takes {allowed}, not {request.method}."
        return error_answer(405, sentence, headers={"Allow": allowed})
    raise refusal
