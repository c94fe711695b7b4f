"""From error to Dragon's status and body: its rows, and the only place where Dragon's error bodies are made.

(S) `{"error": "one string"}`; only a missing or invalid token is answered in plain text. If something keeps us from
storing, the answer is 500, whatever the cause: that is the status on which Dragon's clients try again.
"""

from aiohttp import hdrs, web

from adapters.blobs.port import StorageFull, StorageUnavailable
from adapters.event_log.port import LogUnavailable
from adapters.tokens.errors import ApplicationNotListed, IssuerNotListed, IssuerUnavailable, TokenRefused
from domain import errors as domain
from domain.ambient_session import AmbientSessionNotFound, AmbientSessionOfAnother
from service.application.streams import Contended
from service.dialects.dragon.answers import ErrorResponse
from service.dialects.dragon.requests import InvalidRequest
from service.dialects.http.errors import CLOSE, RETRY_SOON, ErrorTable, Refusal, Row
from service.dialects.http.json_answers import json_answer

MOST_CHUNKS_NAMED = 100
REALM = 'Bearer realm="tapedeck"'


class TokenMissing(Exception):
    def __init__(self) -> None:
        super().__init__("A bearer token is required in the Authorization header.")


class ProtocolNotServed(Exception):
    def __init__(self, protocol: str) -> None:
        super().__init__(f"{protocol} is not served on this host; use HTTP requests.")


class NotYours(Exception):
    """The application may not write for the ids in the body. `fields`: which of them."""

    def __init__(self, fields: list[str]) -> None:
        super().__init__(f"The application may not write for this {', '.join(fields)}.")


def other_protocol(request: web.Request) -> str | None:
    """The protocol that the request asks for, if Dragon serves it on other hosts."""
    if request.headers.get(hdrs.CONTENT_TYPE, "").lower().startswith("application/grpc"):
        return "gRPC"
    return "WebSocket" if "websocket" in request.headers.get(hdrs.UPGRADE, "").lower() else None


def check_protocol(request: web.Request) -> None:
    """(S) This host serves HTTP only. Raises: ProtocolNotServed."""
    protocol = other_protocol(request)
    if protocol is not None:
        raise ProtocolNotServed(protocol)


def _write(refusal: Refusal) -> web.Response:
    if isinstance(refusal.error, (TokenMissing, TokenRefused)):
        return _plain_unauthorized(refusal.error)
    return json_answer(ErrorResponse(error=refusal.sentence), status=refusal.status, headers=refusal.headers)


def _plain_unauthorized(error: TokenMissing | TokenRefused) -> web.Response:
    """(S) Plain text, with a challenge (RFC 6750, 3)."""
    reason = f', error="invalid_token", error_description="{error}"' if isinstance(error, TokenRefused) else ""
    return web.Response(status=401, text=str(error), headers={hdrs.WWW_AUTHENTICATE: REALM + reason})


def _worded(error: Exception) -> str:
    """In Dragon's words where these differ from the domain's."""
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


_CANNOT_STORE = Row(500, headers=RETRY_SOON)

ERRORS = ErrorTable(
    {
        InvalidRequest: Row(400),
        TokenMissing: Row(401),
        TokenRefused: Row(401),
        ApplicationNotListed: Row(401, headers={hdrs.WWW_AUTHENTICATE: f'{REALM}, error="invalid_token"'}),
        IssuerNotListed: Row(403),
        ProtocolNotServed: Row(403, headers=CLOSE),
        NotYours: Row(403),
        AmbientSessionNotFound: Row(404),
        AmbientSessionOfAnother: Row(409),
        IssuerUnavailable: _CANNOT_STORE,
        StorageFull: _CANNOT_STORE,
        StorageUnavailable: _CANNOT_STORE,
        LogUnavailable: _CANNOT_STORE,
        Contended: _CANNOT_STORE,
        domain.ChunkMismatch: Row(400),
    },
    _write,
    worded=_worded,
    answers_all=True,
)
