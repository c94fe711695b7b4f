"""All ambient sessions. A command is decided on a session's newest state; its events are durable before the answer."""

import asyncio
import hashlib
from dataclasses import replace
from uuid import UUID

from adapters.blobs.port import BlobStore
from adapters.event_log.log import EventLog
from adapters.quotas import Quota
from domain.ambient_session import (
    AmbientSession,
    AmbientSessionNotFound,
    AnnounceSession,
    EndSession,
    SessionCommand,
    SessionError,
    decide_session,
    fold_session,
)
from domain.events import SESSION_EVENT_TYPES, AmbientSessionEvent
from service.application.blob_names import blob_prefix
from service.application.clock import Clock
from service.application.quotas import QuotaReached, Quotas
from service.application.streams import Aggregate, Streams
from service.application.trace import trace_id

REMEMBERED_SESSIONS = 20_000
"""Sessions kept in memory; the least recently used are dropped first. Every chunk looks up its session."""


SESSIONS: Aggregate[AmbientSession, SessionCommand, AmbientSessionEvent] = Aggregate(
    decide=decide_session,
    fold=fold_session,
    events=frozenset(SESSION_EVENT_TYPES.values()),
    refusals=SessionError,
    weight=lambda _: 1,
    is_current=lambda session: session is not None and not session.has_ended,  # an ended one may have been opened again
)


class AmbientSessions:
    """All sessions, by id. Used from one event loop. `is_shared`: see `Streams`."""

    def __init__(self, log: EventLog, *, remembered: int = REMEMBERED_SESSIONS, is_shared: bool = False) -> None:
        self._streams = Streams(log, SESSIONS, most_held=remembered, is_shared=is_shared)

    async def execute(
        self, session_id: UUID, command: SessionCommand, *, trace_id: str | None = None
    ) -> AmbientSession:
        """Decide `command`; its events, and all before them, are durable on return.

        Raises: a SessionError of the domain; LogFull, LogUnavailable; Contended.
        """
        return (await self._streams.execute(session_id, command, trace_id=trace_id)).state

    async def find(self, session_id: UUID) -> AmbientSession:
        """The session; unless they are shared, perhaps without what another process has changed since.

        Raises: AmbientSessionNotFound; LogFull, LogUnavailable; Contended.
        """
        session = await self.find_any(session_id)
        if session is None:
            raise AmbientSessionNotFound
        return session

    async def find_any(self, session_id: UUID) -> AmbientSession | None:
        """The same; None if there is none."""
        return await self._streams.find(session_id)

    async def close(self) -> None:
        """Wait for reads under way. The owner closes the log after this."""
        await self._streams.close()


class SessionAnnouncements:
    """What callers say about their sessions. Free text about an encounter may name a patient, so it becomes a blob."""

    def __init__(self, sessions: AmbientSessions, blobs: BlobStore, *, quotas: Quotas, clock: Clock) -> None:
        self._sessions = sessions
        self._quotas = quotas
        self._blobs = blobs
        self._clock = clock

    async def find(self, session_id: UUID) -> AmbientSession:
        """Raises: as `AmbientSessions.find`."""
        return await self._sessions.find(session_id)

    async def announce(
        self,
        session_id: UUID,
        *,
        dialect: str,
        tenant_id: str,
        correlation_id: str,
        partner_id: str,
        product_id: str,
        external_user_id: str | None,
        ehr_instance_id: str | None,
        details: bytes | None,
    ) -> AmbientSession:
        """Open the session, or change its facts. The same announcement again changes nothing, whatever the project's
        quotas.

        Raises: AmbientSessionOfAnother; QuotaReached; StorageFull, StorageUnavailable; as `AmbientSessions.execute`.
        """
        command = AnnounceSession(
            at=self._clock(),
            dialect=dialect,
            tenant_id=tenant_id,
            correlation_id=correlation_id,
            partner_id=partner_id,
            product_id=product_id,
            external_user_id=external_user_id,
            ehr_instance_id=ehr_instance_id,
            details_key=None if details is None else _key_of(session_id, details),
        )
        try:
            async with self._quotas.taking(tenant_id, Quota.SESSIONS):
                return await self._announce(session_id, command, details)
        except QuotaReached:
            session = await self._sessions.find_any(session_id)
            if session is None or decide_session(session, command):
                raise
            return session

    async def _announce(self, session_id: UUID, command: AnnounceSession, details: bytes | None) -> AmbientSession:
        if details is not None:
            blob = await asyncio.to_thread(self._blobs.put_bytes, blob_prefix(session_id, "data"), details)
            command = replace(command, details_key=blob.key)
        try:
            return await self._sessions.execute(session_id, command, trace_id=trace_id.get())
        except SessionError:
            await self._discard(session_id, command.details_key)
            raise

    async def _discard(self, session_id: UUID, key: str | None) -> None:
        """Remove the free text of a refused announcement, unless the session has the same text."""
        if key is not None and (await self._sessions.find(session_id)).details_key != key:
            await self._blobs.delete(key)

    async def end(self, session_id: UUID) -> AmbientSession:
        """Let no further recording begin in the session. Ending it again changes nothing.

        Raises: as `AmbientSessions.execute`.
        """
        command = EndSession(at=self._clock())
        return await self._sessions.execute(session_id, command, trace_id=trace_id.get())


def _key_of(session_id: UUID, details: bytes) -> str:
    """The key under which the blob store keeps them: bytes are named by their digest."""
    return blob_prefix(session_id, "data") + hashlib.sha256(details).hexdigest()
