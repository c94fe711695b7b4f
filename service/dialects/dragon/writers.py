"""Who may do what with a recording of Dragon's, and what a request says of it."""

from datetime import timedelta
from uuid import UUID

from aiohttp import web

from adapters.tokens.allow_list import Application
from adapters.tokens.verification import TokenVerifier
from domain.ambient_session import AmbientSessionNotFound
from domain.events import FinalizePolicy, RecordingKind, RecordingOpened
from service.application.ambient_sessions import SessionAnnouncements
from service.application.uploads import Announcement, Uploads
from service.dialects.dragon import access
from service.dialects.dragon.errors import NoSessionToReadBy
from service.dialects.dragon.names import DIALECT, external_id, recording_named
from service.dialects.dragon.requests import AUDIO_API_VERSION, RecordingPart, check_api_version, check_trace_header
from service.dialects.dragon.settings import DragonSettings
from service.dialects.http.tracing import RECORDING_ID


class Writers:
    """What the audio calls check before they do anything.

    (D) In this order: token, api-version, trace id, body, tenant, session.
    """

    def __init__(
        self, uploads: Uploads, sessions: SessionAnnouncements, tokens: TokenVerifier, settings: DragonSettings
    ) -> None:
        self._uploads = uploads
        self._sessions = sessions
        self._tokens = tokens
        self._session_is_required = settings.ambient_session_required
        self._window: timedelta = settings.dragon_upload_window
        self.max_chunks = settings.dragon_max_chunks

    async def caller(self, request: web.Request) -> Application:
        """The calling application. Raises: what a token raises; InvalidRequest."""
        caller = await access.caller(request, self._tokens)
        check_api_version(request, AUDIO_API_VERSION)
        check_trace_header(request)
        return caller

    async def permitted(self, request: web.Request, caller: Application, asked: RecordingPart) -> Announcement:
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
            max_chunks=self.max_chunks,
            window=self._window,
            end_user_id=asked.external_user_id,
        )
        request[RECORDING_ID] = announced.recording_id.hex  # for the request's log line
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

    async def check_may_read(self, asked: RecordingPart, opened: RecordingOpened) -> None:
        """(D) Who is `permitted` to write to a recording may read its bytes only if it began in an ambient session:
        without one, nothing says which partner sent them, and another may announce one later.

        Raises: NoSessionToReadBy.
        """
        try:
            session = await self._sessions.find(asked.session.id)
        except AmbientSessionNotFound:
            raise NoSessionToReadBy from None
        if session.first_opened_at > opened.at:
            raise NoSessionToReadBy
