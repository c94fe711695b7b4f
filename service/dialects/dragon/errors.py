"""From error to Dragon's status and body: its rows, and the only place where Dragon's error bodies are made.

(S) `{"error": "one string"}`; only a missing or invalid token is answered in plain text. If something keeps us from
storing, the answer is 500, whatever the cause: that is the status on which Dragon's clients try again.
"""

from collections.abc import Mapping

from aiohttp import hdrs, web

from adapters.blobs.port import StorageFull, StorageUnavailable
from adapters.event_log.port import LogUnavailable
from adapters.sqlite_file import DatabaseUnavailable
from adapters.tokens.errors import ApplicationNotListed, IssuerNotListed, IssuerUnavailable, TokenRefused
from domain import errors as domain
from domain.ambient_session import AmbientSessionNotFound, AmbientSessionOfAnother
from service.application.quotas import KeptQuotaReached
from service.application.streams import Contended
from service.dialects.dragon.answers import ErrorResponse
from service.dialects.dragon.requests import InvalidRequest
from service.dialects.http.errors import CLOSE, RETRY_SOON, ErrorTable, Refusal, Row
from service.dialects.http.json_answers import json_answer
from service.dialects.http.stored_chunks import ChunksErased, ExpiredChunksErased, NoSuchChunk

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


class NoSessionToReadBy(Exception):
    """The recording's bytes were asked for, and no ambient session that it began in says that the caller sent them."""

    def __init__(self) -> None:
        super().__init__(
            "The stored bytes are given only to the partner of the ambient session that the recording began in, and it "
            "began in none; a key of the customer's project gets them at GET /v1/recordings/{id}/chunks/all."
        )


def other_protocol(request: web.Request) -> str | None:
    """The protocol that the request asks for, if Dragon serves it on other hosts."""
    headers = request.headers
    if headers.get(hdrs.CONTENT_TYPE, "").lower().startswith("application/grpc"):
        return "gRPC"
    return "WebSocket" if hdrs.UPGRADE in headers and "websocket" in headers[hdrs.UPGRADE].lower() else None


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


_LISTED = "GET /audio/chunks tells how it stands and lists what is stored."
_STORED_BYTES = "GET /audio/chunks/{chunkId} and /audio/chunks/all give the stored bytes."
_ANOTHER = "Use another recordingId for another recording."
_HELP: Mapping[type[Exception], str] = {
    domain.RecordingClosed: _LISTED,
    domain.AlreadyFinalized: f"{_LISTED} {_ANOTHER}",
    domain.ChunkBeyondTotal: f"{_LISTED} {_ANOTHER}",
    domain.RecordingExpired: f"{_STORED_BYTES} {_ANOTHER}",
    domain.RecordingTooLarge: f"{_LISTED} POST /audio/finalizeUpload completes it without this chunk.",
    domain.ReplacedTooOften: f"{_STORED_BYTES} {_ANOTHER}",
    domain.RestartedTooOften: f"{_STORED_BYTES} {_ANOTHER}",
    domain.NotFailed: f"{_LISTED} PUT /audio/storeChunk replaces what is damaged.",
    domain.RecordingNotFound: "PUT /audio/storeChunk begins one, with the recordingId of none that was deleted.",
    KeptQuotaReached: "A key of the customer's project deletes them at DELETE /v1/recordings/{id}.",
    NoSuchChunk: "GET /audio/chunks lists those that are.",
    ExpiredChunksErased: _ANOTHER,
    ChunksErased: "A key of the customer's project gets that file at GET /v1/recordings/{id}/download-url.",
}
"""The calls that help, for what is refused because of what a recording or session has come to."""


def _worded(error: Exception) -> str:
    helps = _HELP.get(type(error))
    return f"{_in_dragons_words(error)} {helps}" if helps else _in_dragons_words(error)


def _in_dragons_words(error: Exception) -> str:
    """The sentence, with Dragon's own names where these differ from the domain's."""
    match error:
        case domain.ChunkMismatch(extra=extra):
            more = f" and {len(extra) - MOST_CHUNKS_NAMED} more" if len(extra) > MOST_CHUNKS_NAMED else ""
            named = ", ".join(map(str, extra[:MOST_CHUNKS_NAMED]))
            return f"totalChunks must match the number of chunks uploaded; beyond it: {named}{more}"
        case domain.ChunkWithoutBytes(numbers=numbers):
            more = f" and {len(numbers) - MOST_CHUNKS_NAMED} more" if len(numbers) > MOST_CHUNKS_NAMED else ""
            named = ", ".join(map(str, numbers[:MOST_CHUNKS_NAMED]))
            return f"content is required for every chunk but the first and the last; missing in: {named}{more}"
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
        NoSessionToReadBy: Row(403),
        AmbientSessionNotFound: Row(404),
        AmbientSessionOfAnother: Row(409),
        IssuerUnavailable: _CANNOT_STORE,
        StorageFull: _CANNOT_STORE,
        StorageUnavailable: _CANNOT_STORE,
        LogUnavailable: _CANNOT_STORE,
        DatabaseUnavailable: _CANNOT_STORE,
        Contended: _CANNOT_STORE,
        domain.ChunkMismatch: Row(400),
    },
    _write,
    worded=_worded,
    answers_all=True,
)
