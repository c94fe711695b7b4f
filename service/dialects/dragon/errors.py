"""From error to Dragon's status and body: the one table, and the only place where Dragon's error bodies are made.

(S) `{"error": "one string"}`; a missing or invalid token alone is answered in plain text. What keeps us from storing is
a 500 here, whatever its cause: that is the status at which Dragon's clients try again.
"""

from dataclasses import dataclass

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from adapters.blobs.port import StorageFull, StorageUnavailable
from adapters.event_log.port import LogUnavailable
from adapters.tokens.errors import ApplicationNotListed, IssuerNotListed, IssuerUnavailable, TokenRefused
from domain import errors as domain
from domain.ambient_session import AmbientSessionNotFound, AmbientSessionOfAnother
from service.application.recordings import Contended
from service.dialects.dragon.answers import ErrorResponse
from service.dialects.dragon.requests import InvalidRequest
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import BodyCutOff, BodyTooLarge, BodyTooSlow

PATHS = ("/audio/", "/ambient-sessions")
MOST_CHUNKS_NAMED = 100
REALM = 'Bearer realm="tapedeck"'


class TokenMissing(Exception):
    def __init__(self) -> None:
        super().__init__("A bearer token is required in the Authorization header.")


class ProtocolNotServed(Exception):
    def __init__(self, protocol: str) -> None:
        super().__init__(f"{protocol} is not served on this host; use HTTP requests.")


class NotYours(Exception):
    """The application may not write for the ids of the body. `fields`: which."""

    def __init__(self, fields: list[str]) -> None:
        super().__init__(f"The application may not write for this {', '.join(fields)}.")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: tuple[tuple[str, str], ...] = ()


_CLOSE = (("Connection", "close"),)
_RETRY_SOON = (("Retry-After", "1"),)

_ANSWERS: dict[type[Exception], _Answer] = {
    InvalidRequest: _Answer(400),
    BodyCutOff: _Answer(400),
    ApplicationNotListed: _Answer(401, ((hdrs.WWW_AUTHENTICATE, f'{REALM}, error="invalid_token"'),)),
    IssuerNotListed: _Answer(403),
    ProtocolNotServed: _Answer(403, _CLOSE),
    NotYours: _Answer(403),
    AmbientSessionNotFound: _Answer(404),
    AmbientSessionOfAnother: _Answer(409),
    BodyTooSlow: _Answer(408, _CLOSE),
    BodyTooLarge: _Answer(413, _CLOSE),
    IssuerUnavailable: _Answer(500, _RETRY_SOON),
    StorageFull: _Answer(500, _RETRY_SOON),
    StorageUnavailable: _Answer(500, _RETRY_SOON),
    LogUnavailable: _Answer(500, _RETRY_SOON),
    Contended: _Answer(500, _RETRY_SOON),
    domain.RecordingNotFound: _Answer(404),
    domain.RecordingClosed: _Answer(409),
    domain.AlreadyFinalized: _Answer(409),
    domain.ChunkBeyondTotal: _Answer(409),
    domain.RecordingExpired: _Answer(409),
    domain.ChunkMismatch: _Answer(400),
    domain.ChunkNumberOutOfRange: _Answer(400),
    domain.TotalChunksOutOfRange: _Answer(400),
}


@web.middleware
async def dragon_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns whatever a Dragon path's handler raises into Dragon's answer; leaves other paths alone."""
    if not is_dragon(request):
        return await handler(request)
    try:
        check_protocol(request)
        return await handler(request)
    except (TokenMissing, TokenRefused) as error:
        return _plain_unauthorized(error)
    except tuple(_ANSWERS) as error:
        answer = next(_ANSWERS[kind] for kind in type(error).__mro__ if kind in _ANSWERS)
        return error_answer(answer.status, _sentence(error), headers=dict(answer.headers))
    except web.HTTPException as refusal:
        return _framework_refusal(request, refusal)


def is_dragon(request: web.Request) -> bool:
    """Whether it is Dragon's to answer: by its path, or because only a client lost from there asks for a protocol that
    Dragon has other hosts for."""
    return request.path.startswith(PATHS) or _is_grpc(request) or _is_websocket(request)


def check_protocol(request: web.Request) -> None:
    """(S) This is an HTTP-only host. Raises: ProtocolNotServed."""
    if _is_grpc(request):
        raise ProtocolNotServed("gRPC")
    if _is_websocket(request):
        raise ProtocolNotServed("WebSocket")


def _is_grpc(request: web.Request) -> bool:
    return request.headers.get(hdrs.CONTENT_TYPE, "").lower().startswith("application/grpc")


def _is_websocket(request: web.Request) -> bool:
    return "websocket" in request.headers.get(hdrs.UPGRADE, "").lower()


def error_answer(status: int, sentence: str, *, headers: dict[str, str] | None = None) -> web.Response:
    return json_answer(ErrorResponse(error=sentence), status=status, headers=headers)


def _plain_unauthorized(error: TokenMissing | TokenRefused) -> web.Response:
    """(S) Plain text, with a challenge (RFC 6750, 3)."""
    reason = f', error="invalid_token", error_description="{error}"' if isinstance(error, TokenRefused) else ""
    return web.Response(status=401, text=str(error), headers={hdrs.WWW_AUTHENTICATE: REALM + reason})


def _sentence(error: Exception) -> str:
    """In Dragon's words where the domain's are others."""
    match error:
        case domain.ChunkMismatch(extra=extra):
            more = f" and {len(extra) - MOST_CHUNKS_NAMED} more" if len(extra) > MOST_CHUNKS_NAMED else ""
            named = ", ".join(map(str, extra[:MOST_CHUNKS_NAMED]))
            return f"totalChunks must match the number of chunks uploaded; beyond it: {named}{more}"
        case domain.AlreadyFinalized(total_chunks=total_chunks):
            return f"The recording was finalized with totalChunks {total_chunks}, which cannot change."
        case domain.TotalChunksOutOfRange(max_chunks=max_chunks):
            return f"totalChunks must be at most {max_chunks}"
        case domain.ChunkNumberOutOfRange(max_chunks=max_chunks):
            return f"chunkId must be at most {max_chunks}"
        case domain.ChunkBeyondTotal(number=number, total_chunks=total_chunks):
            return f"chunkId {number} is above the totalChunks {total_chunks} that the recording was finalized with."
        case _:
            return str(error)


def _framework_refusal(request: web.Request, refusal: web.HTTPException) -> web.Response:
    """What aiohttp refuses by itself, in Dragon's form."""
    if refusal.status == 404:  # noqa: PLR2004
        return error_answer(404, f"There is nothing at {request.path}.")
    if refusal.status == 405:  # noqa: PLR2004
        allowed = refusal.headers.get("Allow", "")
        sentence = f"{request.path} takes {allowed}, not {request.method}."
        return error_answer(405, sentence, headers={"Allow": allowed})
    return error_answer(refusal.status, refusal.reason)
