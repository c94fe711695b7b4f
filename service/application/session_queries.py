"""What is known of ambient sessions and of the recordings in them, including every write answered before."""

from uuid import UUID

from adapters.ambient_sessions import AmbientSessionStore, ListedSession, SessionsPage, SessionsQuery
from adapters.database.looking_up import looked_up
from adapters.event_log.log import EventLog
from domain.ambient_session import AmbientSessionNotFound
from service.application.queries import VIEW_SECONDS, Projection, ViewBehind


class SessionQueries:
    """All methods may raise LogUnavailable, DatabaseUnavailable; ViewBehind."""

    def __init__(self, store: AmbientSessionStore, projection: Projection, *, log: EventLog) -> None:
        self._store = store
        self._projection = projection
        self._log = log

    async def session(self, session_id: UUID) -> ListedSession:
        """Raises: AmbientSessionNotFound."""
        await self._catch_up()
        found = await looked_up(self._store, self._store.find, session_id)
        if found is None:
            raise AmbientSessionNotFound
        return found

    async def page(self, query: SessionsQuery) -> SessionsPage:
        await self._catch_up()
        return await looked_up(self._store, self._store.page, query)

    async def recordings(self, session_id: UUID, limit: int) -> list[UUID]:
        """At most so many of the session's recordings, those begun last first."""
        await self._catch_up()
        return await looked_up(self._store, self._store.recordings, session_id, limit)

    async def _catch_up(self) -> None:
        try:
            await self._projection.wait_for(await self._log.newest_head(), seconds=VIEW_SECONDS)
        except TimeoutError:
            raise ViewBehind("view of ambient sessions") from None
