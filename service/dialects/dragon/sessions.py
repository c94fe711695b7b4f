"""Dragon's ambient sessions: announced before the audio, announced again as an update, ended (P)."""

import asyncio

from aiohttp import web

from adapters.tokens.verification import TokenVerifier
from domain.ambient_session import (
    AmbientSession,
    AmbientSessionNotFound,
    AmbientSessionOfAnother,
    AnnounceSession,
    EndSession,
)
from service.application.processing import blob_prefix
from service.application.trace import trace_id
from service.dialects.dragon import access
from service.dialects.dragon.answers import SessionResponse
from service.dialects.dragon.names import DIALECT, SessionName
from service.dialects.dragon.requests import (
    SESSIONS_API_VERSION,
    Session,
    check_api_version,
    parse_session,
    parse_session_name,
)
from service.dialects.http.deck import Deck
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import continue_later, tell_to_continue, whole_body


class Sessions:
    """The handlers, over one deck. (P) No x-correlation-id is required here: public clients do not send it."""

    def __init__(self, deck: Deck, tokens: TokenVerifier) -> None:
        self._deck = deck
        self._tokens = tokens

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_put("/ambient-sessions", self.announce, expect_handler=continue_later)
        router.add_delete("/ambient-sessions/{correlation_id}", self.end)

    async def announce(self, request: web.Request) -> web.Response:
        """PUT /ambient-sessions (P). Repeating it is an update, not an error."""
        caller = await access.caller(request, self._tokens)
        check_api_version(request, SESSIONS_API_VERSION)
        limits = self._deck.limits
        tell_to_continue(request)
        body = await whole_body(request, limit_bytes=limits.json_bytes, seconds=limits.json_seconds)
        asked = parse_session(body, request.query)
        access.check_tenant(
            caller, customer_id=asked.customer_id, partner_id=asked.partner_id, product_id=asked.product_id
        )
        command = AnnounceSession(
            at=self._deck.clock(),
            dialect=DIALECT,
            tenant_id=asked.session.tenant_id,
            correlation_id=asked.correlation_id,
            partner_id=asked.partner_id,
            product_id=asked.product_id,
            external_user_id=asked.external_user_id,
            ehr_instance_id=asked.ehr_instance_id,
            details_key=await self._store_data(asked),
        )
        try:
            session = await self._deck.sessions.execute(asked.session.id, command, trace_id=trace_id.get())
        except AmbientSessionOfAnother:
            await self._forget_data(asked, command.details_key)
            raise
        return json_answer(_session_answer(asked.session, session))

    async def _store_data(self, asked: Session) -> str | None:
        """What a partner says about an encounter may name a patient, so it is a blob and not in the log."""
        if asked.data is None:
            return None
        prefix = blob_prefix(asked.session.id, "data")
        blob = await asyncio.to_thread(self._deck.blobs.put_bytes, prefix, asked.data.encode())
        return blob.key

    async def _forget_data(self, asked: Session, key: str | None) -> None:
        """Remove what a refused announcement said, unless the session that is there said the same."""
        session = await self._deck.sessions.find(asked.session.id)
        if key is not None and session.details_key != key:
            await self._deck.blobs.delete(key)

    async def end(self, request: web.Request) -> web.Response:
        """DELETE /ambient-sessions/{correlationId} (P). Ending it again gives the same answer."""
        caller = await access.caller(request, self._tokens)
        check_api_version(request, SESSIONS_API_VERSION)
        named = parse_session_name(request.match_info["correlation_id"], request.query)
        access.check_tenant(caller, customer_id=named.customer_id)
        session = await self._deck.sessions.find(named.id)
        if session.partner_id not in caller.partners:
            raise AmbientSessionNotFound
        command = EndSession(at=self._deck.clock())
        session = await self._deck.sessions.execute(named.id, command, trace_id=trace_id.get())
        return json_answer(_session_answer(named, session))


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
