"""All ambient sessions: what is asked of one is decided on its newest state and is durable before it is answered."""

from uuid import UUID

from adapters.event_log.log import EventLog
from domain.ambient_session import (
    AmbientSession,
    AmbientSessionNotFound,
    SessionCommand,
    SessionError,
    decide_session,
    fold_session,
)
from domain.events import SESSION_EVENT_TYPES, AmbientSessionEvent
from service.application.streams import Aggregate, Streams

REMEMBERED_SESSIONS = 20_000
"""Sessions kept in memory, those used least recently let go: every chunk asks for its own."""


SESSIONS: Aggregate[AmbientSession, SessionCommand, AmbientSessionEvent] = Aggregate(
    decide=decide_session,
    fold=fold_session,
    events=frozenset(SESSION_EVENT_TYPES),
    refusals=SessionError,
    weight=lambda _: 1,
    is_current=lambda session: session is not None and not session.has_ended,  # it may have been opened again
)


class AmbientSessions:
    """All sessions, by id. Used from one event loop."""

    def __init__(self, log: EventLog, *, remembered: int = REMEMBERED_SESSIONS) -> None:
        self._streams = Streams(log, SESSIONS, most_held=remembered)

    async def execute(
        self, session_id: UUID, command: SessionCommand, *, trace_id: str | None = None
    ) -> AmbientSession:
        """Decide `command`; its events, and all before them, are durable on return.

        Raises: a SessionError of the domain; LogFull, LogUnavailable; Contended.
        """
        return (await self._streams.execute(session_id, command, trace_id=trace_id)).state

    async def find(self, session_id: UUID) -> AmbientSession:
        """The session. One that another process has ended or changed may be seen as it was.

        Raises: AmbientSessionNotFound; LogFull, LogUnavailable; Contended.
        """
        session = await self._streams.find(session_id)
        if session is None:
            raise AmbientSessionNotFound
        return session

    async def close(self) -> None:
        """Wait for what is being read. The log is its owner's to close, after this."""
        await self._streams.close()
