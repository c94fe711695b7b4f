"""Carries out commands on ambient sessions: fold, decide, append; decide again when another writer was faster."""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.port import VersionConflict
from domain.ambient_session import (
    AmbientSession,
    AmbientSessionNotFound,
    SessionCommand,
    decide_session,
    evolve_session,
    fold_session,
)
from domain.events import AmbientSessionEvent
from service.application.recordings import DECISIONS_PER_COMMAND, Contended

REMEMBERED_SESSIONS = 20_000
"""Sessions kept in memory, those used least recently let go: every chunk asks for its own."""


@dataclass(frozen=True, slots=True)
class _Known:
    session: AmbientSession | None
    version: int


class AmbientSessions:
    """All sessions, by id. Used from one event loop."""

    def __init__(self, log: EventLog, *, remembered: int = REMEMBERED_SESSIONS) -> None:
        self._log = log
        self._known: OrderedDict[UUID, _Known] = OrderedDict()
        self._remembered = remembered

    async def execute(
        self, session_id: UUID, command: SessionCommand, *, trace_id: str | None = None
    ) -> AmbientSession:
        """Decide `command` on what is in the log now; its events are durable on return.

        Raises: a SessionError of the domain; LogFull, LogUnavailable; Contended.
        """
        for _ in range(DECISIONS_PER_COMMAND):
            known = await self._load(session_id)
            events = decide_session(known.session, command)
            session = known.session
            for event in events:
                session = evolve_session(session, event)
            assert session is not None  # noqa: S101 - every decision that is not refused leaves a session
            if events:
                try:
                    await self._log.append(session_id, known.version, events, trace_id=trace_id)
                except VersionConflict:
                    continue
            self._remember(session_id, _Known(session, known.version + len(events)))
            return session
        raise Contended

    async def find(self, session_id: UUID) -> AmbientSession:
        """The session. That another process has changed it a moment ago may not be seen; that it opened it, is.

        Raises: AmbientSessionNotFound; LogUnavailable.
        """
        known = self._known.get(session_id)
        if known is None or known.session is None or known.session.has_ended:  # it may be open again meanwhile
            known = await self._load(session_id)
        if known.session is None:
            raise AmbientSessionNotFound
        self._remember(session_id, known)
        return known.session

    async def _load(self, session_id: UUID) -> _Known:
        history = await self._log.history(session_id)
        events = [recorded.event for recorded in history if isinstance(recorded.event, AmbientSessionEvent)]
        return _Known(fold_session(events), len(history))

    def _remember(self, session_id: UUID, known: _Known) -> None:
        newest = self._known.get(session_id)
        if newest is None or newest.version <= known.version:
            self._known[session_id] = known
        self._known.move_to_end(session_id)
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)
