"""Answers which ambient sessions there are, and one with its recordings."""

from typing import Any
from uuid import UUID

from aiohttp import web

from adapters.ambient_sessions import ListedSession, SessionsQuery
from domain.ambient_session import AmbientSessionNotFound
from domain.summary import RecordingSummary
from service.application.callers import Callers
from service.application.queries import Queries
from service.application.session_queries import SessionQueries
from service.dialects.bota import access
from service.dialects.bota.answers import ListAnswer
from service.dialects.bota.identifiers import public_recording_id, public_session_id, session_id_of
from service.dialects.bota.paging import LARGEST_PAGE, cursor_of_session, place_of_session
from service.dialects.bota.rendering import duration_of, recording_status
from service.dialects.bota.requests import query_of
from service.dialects.bota.sessions.messages import (
    AmbientSessionAnswer,
    AmbientSessionsPageRequest,
    AmbientSessionWithRecordingsAnswer,
    SessionRecordingAnswer,
)
from service.dialects.http.json_answers import json_answer, utc_text


class AmbientSessionEndpoints:
    """The handlers."""

    def __init__(self, sessions: SessionQueries, queries: Queries, callers: Callers) -> None:
        self._sessions = sessions
        self._queries = queries
        self._callers = callers

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/ambient-sessions", self.sessions)
        router.add_get("/v1/ambient-sessions/{ambient_session_id}", self.session)

    async def sessions(self, request: web.Request) -> web.Response:
        """A page of the project's sessions, those announced last first."""
        key = await access.permitted(request, self._callers, access.READ_RECORDINGS)
        asked = query_of(AmbientSessionsPageRequest, request.query)
        page = await self._sessions.page(
            SessionsQuery(
                tenant_id=key.project_id,
                limit=asked.limit,
                has_ended=None if asked.status is None else asked.status == "ended",
                after=place_of_session(asked.cursor),
            )
        )
        return json_answer(
            ListAnswer[AmbientSessionAnswer](
                data=[AmbientSessionAnswer.model_validate(_facts(row)) for row in page.rows],
                has_more=page.has_more,
                next_cursor=cursor_of_session(page.rows[-1].place) if page.has_more else None,
            )
        )

    async def session(self, request: web.Request) -> web.Response:
        """Another project's session does not exist for the caller."""
        key = await access.permitted(request, self._callers, access.READ_RECORDINGS)
        found = await self._sessions.session(session_id_of(request.match_info["ambient_session_id"]))
        if found.session.tenant_id != key.project_id:
            raise AmbientSessionNotFound
        ids = await self._sessions.recordings(found.session_id, LARGEST_PAGE)
        summaries = await self._queries.summaries(ids)
        recordings = [_recording_answer(each, summaries[each]) for each in ids if each in summaries]
        return json_answer(
            AmbientSessionWithRecordingsAnswer.model_validate(_facts(found) | {"recordings": recordings})
        )


def _facts(listed: ListedSession) -> dict[str, Any]:
    session, summary = listed.session, listed.summary
    return {
        "id": public_session_id(listed.session_id),
        "project_id": session.tenant_id,
        "status": "open" if summary.ended_at is None else "ended",
        "correlation_id": session.correlation_id,
        "partner_id": session.partner_id,
        "product_id": session.product_id,
        "external_user_id": session.external_user_id,
        "ehr_instance_id": session.ehr_instance_id,
        "recording_count": summary.recording_count,
        "created_at": utc_text(session.first_opened_at),
        "last_activity_at": utc_text(summary.active_at),
        "ended_at": utc_text(summary.ended_at),
    }


def _recording_answer(recording_id: UUID, summary: RecordingSummary) -> SessionRecordingAnswer:
    return SessionRecordingAnswer(
        id=public_recording_id(recording_id),
        external_id=summary.external_id,
        status=recording_status(summary),
        duration_ms=duration_of(summary),
        created_at=utc_text(summary.created_at),
        updated_at=utc_text(summary.updated_at),
    )
