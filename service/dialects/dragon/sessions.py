"""Dragon's ambient sessions: announced before the audio, announced again as an update, ended (P)."""

from aiohttp import web

from adapters.tokens.verification import TokenVerifier
from domain.ambient_session import AmbientSession, AmbientSessionNotFound
from service.application.ambient_sessions import SessionAnnouncements
from service.dialects.dragon import access
from service.dialects.dragon.answers import SessionResponse
from service.dialects.dragon.names import DIALECT, SessionName
from service.dialects.dragon.requests import (
    SESSIONS_API_VERSION,
    check_api_version,
    parse_session,
    parse_session_name,
)
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import Limits, continue_later, tell_to_continue


class Sessions:
    """The handlers. (P) No x-correlation-id is required here: public clients do not send it."""

    def __init__(self, sessions: SessionAnnouncements, tokens: TokenVerifier, limits: Limits) -> None:
        self._sessions = sessions
        self._tokens = tokens
        self._limits = limits

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_put("/ambient-sessions", self.announce, expect_handler=continue_later)
        router.add_delete("/ambient-sessions/{correlation_id}", self.end)

    async def announce(self, request: web.Request) -> web.Response:
        """PUT /ambient-sessions (P). Repeating it is an update, not an error."""
        caller = await access.caller(request, self._tokens)
        check_api_version(request, SESSIONS_API_VERSION)
        self._limits.admit(request, self._limits.json_bytes)
        tell_to_continue(request)
        asked = parse_session(await self._limits.json_body(request), request.query)
        access.check_tenant(
            caller, customer_id=asked.customer_id, partner_id=asked.partner_id, product_id=asked.product_id
        )
        session = await self._sessions.announce(
            asked.session.id,
            dialect=DIALECT,
            tenant_id=asked.session.tenant_id,
            correlation_id=asked.correlation_id,
            partner_id=asked.partner_id,
            product_id=asked.product_id,
            external_user_id=asked.external_user_id,
            ehr_instance_id=asked.ehr_instance_id,
            details=None if asked.data is None else asked.data.encode(),
        )
        return json_answer(_session_answer(asked.session, session))

    async def end(self, request: web.Request) -> web.Response:
        """DELETE /ambient-sessions/{correlationId} (P). Ending it again gives the same answer."""
        caller = await access.caller(request, self._tokens)
        check_api_version(request, SESSIONS_API_VERSION)
        named = parse_session_name(request.match_info["correlation_id"], request.query)
        access.check_tenant(caller, customer_id=named.customer_id)
        session = await self._sessions.find(named.id)
        if session.partner_id not in caller.partners:
            raise AmbientSessionNotFound
        return json_answer(_session_answer(named, await self._sessions.end(named.id)))


def _session_answer(named: SessionName, session: AmbientSession) -> SessionResponse:
    return SessionResponse(
        correlation_id=session.correlation_id,
        customer_id=named.customer_id,
        partner_id=session.partner_id,
        product_id=session.product_id,
        external_user_id=session.external_user_id,
        ehr_instance_id=session.ehr_instance_id,
        status="ended" if session.has_ended else "active",
    )
