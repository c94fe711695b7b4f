"""Dragon's audio: chunks as multipart forms, and finalize, in any order. Source: REFERENCE.md."""

from uuid import UUID

from aiohttp import web

from adapters.tokens.allow_list import Application
from adapters.tokens.verification import TokenVerifier
from domain.ambient_session import AmbientSessionNotFound
from domain.events import FinalizePolicy, RecordingKind
from domain.recording import Recording
from service.application.ambient_sessions import SessionAnnouncements
from service.application.uploads import Announcement, Uploads
from service.dialects.dragon import access
from service.dialects.dragon.answers import FinalizeResponse, SuccessResponse, SuspectChunk
from service.dialects.dragon.chunk_form import ChunkForm
from service.dialects.dragon.names import DIALECT, external_id, recording_named
from service.dialects.dragon.requests import (
    AUDIO_API_VERSION,
    InvalidRequest,
    RecordingPart,
    check_api_version,
    check_trace_header,
    parse_chunk_metadata,
    parse_finalize,
)
from service.dialects.dragon.settings import DragonSettings
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import Limits, continue_later, tell_to_continue

METADATA_ONLY_CHUNK = 1
"""(P) The one chunk that may have no bytes."""


class Audio:
    """The handlers. (D) Order of checks: token, api-version, trace id, body, tenant, session."""

    def __init__(
        self,
        uploads: Uploads,
        sessions: SessionAnnouncements,
        tokens: TokenVerifier,
        limits: Limits,
        settings: DragonSettings,
    ) -> None:
        self._uploads = uploads
        self._sessions = sessions
        self._tokens = tokens
        self._limits = limits
        self._session_is_required = settings.ambient_session_required
        self._max_chunks = settings.dragon_max_chunks
        self._window = settings.dragon_upload_window

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_put("/audio/storeChunk", self.store_chunk, expect_handler=continue_later)
        router.add_post("/audio/finalizeUpload", self.finalize_upload, expect_handler=continue_later)

    async def store_chunk(self, request: web.Request) -> web.Response:
        """PUT /audio/storeChunk (P). The answer comes when the bytes and the event are durable."""
        caller = await access.caller(request, self._tokens)
        check_api_version(request, AUDIO_API_VERSION)
        check_trace_header(request)
        form = ChunkForm(request, self._limits)
        tell_to_continue(request)
        asked = parse_chunk_metadata(await form.metadata(), request.query, max_chunks=self._max_chunks)
        announced = await self._permitted(request, caller, asked)
        content = await form.content()
        if content is not None:
            await self._uploads.store_chunk(announced.recording_id, asked.chunk_number, content, opening=announced)
        elif asked.chunk_number == METADATA_ONLY_CHUNK:
            await self._uploads.ensure_open(announced)
            await self._uploads.store_metadata(announced.recording_id, asked.chunk_number)
        else:
            raise InvalidRequest("content is required for every chunk but the first")
        return _success()

    async def finalize_upload(self, request: web.Request) -> web.Response:
        """POST /audio/finalizeUpload (S). It also succeeds before the chunks have come; they are waited for."""
        caller = await access.caller(request, self._tokens)
        check_api_version(request, AUDIO_API_VERSION)
        check_trace_header(request)
        tell_to_continue(request)
        body = await self._limits.json_body(request)
        asked = parse_finalize(body, request.query, max_chunks=self._max_chunks)
        announced = await self._permitted(request, caller, asked)
        await self._uploads.ensure_open(announced)
        recording = await self._uploads.finalize(announced.recording_id, total_chunks=asked.total_chunks)
        return json_answer(_finalize_answer(recording))

    async def _permitted(self, request: web.Request, caller: Application, asked: RecordingPart) -> Announcement:
        """What the request says about its recording, if the caller may write to it. The first request, be it a chunk or
        finalize, opens the recording. Raises: NotYours; AmbientSessionNotFound."""
        access.check_tenant(
            caller, customer_id=asked.customer_id, partner_id=asked.partner_id, product_id=asked.product_id
        )
        announced = Announcement(
            recording_id=recording_named(asked.session.tenant_id, asked.correlation_id, asked.recording_number),
            dialect=DIALECT,
            tenant_id=asked.session.tenant_id,
            external_id=external_id(asked.correlation_id, asked.recording_number),
            kind=RecordingKind.STREAMED,
            finalize_policy=FinalizePolicy.RECONCILE,
            max_chunks=self._max_chunks,
            window=self._window,
            end_user_id=asked.external_user_id,
        )
        request["recording_id"] = announced.recording_id.hex  # for the request's log line
        await self._check_session(announced.recording_id, asked)
        return announced

    async def _check_session(self, recording_id: UUID, asked: RecordingPart) -> None:
        """(S) There must be a session, unless the check is off or the request skips it.

        In any case, an existing session belongs to its partner alone, and no further recording begins after its end.
        Recordings that have begun accept their late chunks.
        """
        try:
            session = await self._sessions.find(asked.session.id)
        except AmbientSessionNotFound:
            if self._session_is_required and not asked.skips_session_check:
                raise
            return
        if session.partner_id != asked.partner_id:
            raise AmbientSessionNotFound
        if session.has_ended and not asked.skips_session_check and await self._uploads.find(recording_id) is None:
            raise AmbientSessionNotFound


def _finalize_answer(recording: Recording) -> FinalizeResponse:
    """Computed from FinalizeRequested alone, so it never changes."""
    suspects = recording.finalized.suspect_chunks if recording.finalized else ()
    named = [SuspectChunk(chunk_id=one.number, looks_like=one.looks_like) for one in suspects]
    return FinalizeResponse(suspect_chunks=named or None)


def _success() -> web.Response:
    """(S)"""
    return json_answer(SuccessResponse())
