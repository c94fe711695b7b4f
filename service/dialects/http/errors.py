"""From error to answer: the mechanism behind every dialect's error table, and the rows that the tables share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from adapters.blobs.port import StorageFull, StorageUnavailable
from adapters.database.port import ServerAway
from adapters.event_log.port import LogFull, LogUnavailable
from adapters.sqlite_file import DatabaseFull, DatabaseUnavailable
from domain import errors as domain
from service.application.note_edits import NoSuchVersion
from service.application.quotas import EntryQuotaReached, KeptQuotaReached, PassingQuotaReached
from service.application.streams import Contended
from service.dialects.http.content_codings import DECODED, CodedBodyDamaged, CodingNotDecoded
from service.dialects.http.cors import OriginNotAllowed
from service.dialects.http.event_streams import TooManyListeners, TooManyListenersOfOne
from service.dialects.http.forms import FormNotTaken
from service.dialects.http.held_bytes import TooMuchHeld
from service.dialects.http.limits import BodyCutOff, BodyTooLarge, BodyTooSlow
from service.dialects.http.notes import BadMatch
from service.dialects.http.signed_urls import SignatureRefused
from service.dialects.http.stored_chunks import ChunksErased, ExpiredChunksErased, NoSuchChunk

_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Row:
    """How one type of error is answered.

    `code`: the error's short name, for dialects that send one. `sentence`: replaces the error's own.
    """

    status: int
    code: str = ""
    headers: Mapping[str, str] | None = None
    sentence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What to tell a client. `error`: what was raised, if the table has a row for it."""

    status: int
    code: str
    sentence: str
    headers: dict[str, str]
    error: Exception | None = None


CLOSE = {"Connection": "close"}
RETRY_SOON = {"Retry-After": "1"}
RETRY_IN_A_MINUTE = {"Retry-After": "60"}
_AWAY = "The service cannot reach its database; try again."
"""Without what the database's client says, which names its host: anyone may be told, before it is known who asks."""

SHARED_ROWS: Mapping[type[Exception], Row] = {
    BodyCutOff: Row(400, "invalid_request"),
    CodedBodyDamaged: Row(400, "invalid_request"),
    BodyTooSlow: Row(408, "request_timeout", CLOSE),
    BodyTooLarge: Row(413, "payload_too_large", CLOSE),
    TooMuchHeld: Row(503, "busy", RETRY_SOON | CLOSE),
    TooManyListeners: Row(503, "busy", RETRY_IN_A_MINUTE),
    TooManyListenersOfOne: Row(429, "too_many_listeners", RETRY_IN_A_MINUTE),
    CodingNotDecoded: Row(415, "unsupported_media_type", {"Accept-Encoding": DECODED}),
    FormNotTaken: Row(415, "unsupported_media_type"),
    SignatureRefused: Row(403, "forbidden"),
    OriginNotAllowed: Row(403, "forbidden"),
    StorageFull: Row(507, "storage_full", RETRY_SOON),
    StorageUnavailable: Row(503, "storage_unavailable", RETRY_SOON),
    LogFull: Row(507, "storage_full", RETRY_SOON),
    LogUnavailable: Row(503, "storage_unavailable", RETRY_SOON),
    DatabaseFull: Row(507, "storage_full", RETRY_SOON),
    DatabaseUnavailable: Row(503, "storage_unavailable", RETRY_SOON),
    ServerAway: Row(503, "storage_unavailable", RETRY_SOON, sentence=_AWAY),
    KeptQuotaReached: Row(507, "quota_exceeded", RETRY_IN_A_MINUTE),
    PassingQuotaReached: Row(429, "quota_exceeded", RETRY_IN_A_MINUTE),
    EntryQuotaReached: Row(409, "quota_exceeded"),
    Contended: Row(503, "busy", RETRY_SOON),
    domain.RecordingNotFound: Row(404, "recording_not_found"),
    domain.RecordingAlreadyOpened: Row(409, "idempotency_conflict"),
    domain.RecordingExpired: Row(409, "recording_expired"),
    domain.RecordingClosed: Row(409, "already_finalized"),
    domain.AlreadyFinalized: Row(409, "already_finalized"),
    domain.ChunkBeyondTotal: Row(409, "already_finalized"),
    domain.ChunkNumberOutOfRange: Row(400, "invalid_request"),
    domain.TotalChunksOutOfRange: Row(400, "invalid_request"),
    domain.RecordingTooLarge: Row(413, "recording_too_large", CLOSE),
    domain.ReplacedTooOften: Row(409, "replaced_too_often"),
    domain.RestartedTooOften: Row(409, "restarted_too_often"),
    domain.NoNote: Row(409, "no_note"),
    domain.NoteChanged: Row(412, "note_changed"),
    domain.EditedTooOften: Row(409, "edited_too_often"),
    NoSuchVersion: Row(404, "version_not_found"),
    BadMatch: Row(400, "invalid_request"),
    domain.ChunkMismatch: Row(409, "chunk_mismatch"),
    domain.ChunkSizeDiffers: Row(409, "size_mismatch"),
    domain.ChunkWithoutBytes: Row(400, "invalid_request"),
    domain.NamedRequestDiffers: Row(409, "idempotency_conflict"),
    domain.NotFailed: Row(409, "not_failed"),
    NoSuchChunk: Row(404, "chunk_not_found"),
    ChunksErased: Row(410, "chunks_erased"),
    ExpiredChunksErased: Row(410, "chunks_erased"),
}
"""What every dialect answers the same way, unless its own rows say otherwise: those are looked at first."""


class ErrorTable:
    """A dialect's table: its own rows, then the shared ones, and how it writes a refusal.

    A row is for a type of error and for its subtypes without a row in the same table. `worded` gives the sentence for
    an error whose row has none. aiohttp's own refusals except 404 and 405 are left to aiohttp, unless `answers_all`.
    """

    def __init__(
        self,
        rows: Mapping[type[Exception], Row],
        write: Callable[[Refusal], web.Response],
        *,
        worded: Callable[[Exception], str] = str,
        answers_all: bool = False,
    ) -> None:
        self._rows = rows
        self._write = write
        self._worded = worded
        self._answers_all = answers_all

    def answer(self, error: Exception) -> web.Response | None:
        """The answer to what a handler raised; None if no row matches."""
        row = _row(self._rows, error) or _row(SHARED_ROWS, error)
        if row is None:
            return None
        sentence = self._worded(error) if row.sentence is None else row.sentence
        refusal = Refusal(
            status=row.status, code=row.code, sentence=sentence, headers=dict(row.headers or {}), error=error
        )
        return self._write(refusal)

    def defect_answer(self) -> web.Response:
        """The answer when the service itself fails: a sentence that reveals nothing."""
        sentence = "The service failed to handle this request; try again."
        return self._write(Refusal(status=500, code="internal_error", sentence=sentence, headers={}))

    def framework_answer(self, request: web.Request, refusal: web.HTTPException) -> web.Response:
        """The answer to a refusal of aiohttp's. Raises: web.HTTPException, the same, for aiohttp to answer."""
        if refusal.status == _NOT_FOUND:
            sentence = f"There is nothing at {request.path}."
            return self._write(Refusal(status=_NOT_FOUND, code="not_found", sentence=sentence, headers={}))
        if isinstance(refusal, web.HTTPMethodNotAllowed):  # `refusal.method` is what a preflight asks for
            allowed = refusal.headers.get("Allow", "")
            return self._write(
                Refusal(
                    status=refusal.status,
                    code="method_not_allowed",
                    sentence=f"{request.path} accepts {allowed}, not {refusal.method}.",
                    headers={"Allow": allowed},
                )
            )
        if not self._answers_all:
            raise refusal
        return self._write(Refusal(status=refusal.status, code="refused", sentence=refusal.reason, headers={}))


def _row(rows: Mapping[type[Exception], Row], error: Exception) -> Row | None:
    return next((rows[kind] for kind in type(error).__mro__ if kind in rows), None)
