"""Keeps a view that is made of some events in step with the log, and lets a query wait until it includes a write.

The views of note orders and of ambient sessions are such views.
"""

from collections.abc import Callable

from adapters.database.looking_up import in_database_thread
from adapters.event_log.log import EventLog
from adapters.log_view import LogView
from adapters.rebuilding import PositionMoved
from domain.events import LoggedEvent
from service.followers.view_progress import ViewProgress

EVENTS_PER_WRITE = 1_000
"""Most events mean nothing for the view and are passed over; how far, is written after so many of them."""


class SelectiveProjector:
    """Folds the events for which `concerns` says so into the view called `name`."""

    def __init__(self, name: str, log: EventLog, store: LogView, concerns: Callable[[LoggedEvent], bool]) -> None:
        self.name = name
        self._log = log
        self._store = store
        self._concerns = concerns
        self._progress = ViewProgress(log)

    @property
    def position(self) -> int:
        """The position of the last event in the view; queries see everything up to it."""
        return self._progress.position

    async def run(self) -> None:
        """Follow the log until cancelled. Raises: OtherSchema."""
        while True:
            try:
                await self._follow()
            except PositionMoved:
                continue  # rebuilt meanwhile, or another process was faster

    async def _follow(self) -> None:
        """Raises: OtherSchema; PositionMoved."""
        written = await in_database_thread(self._store.position)
        self._progress.move_to(written)
        async for events in self._log.follow(after=written):
            reached = events[-1].position
            concerned = [recorded for recorded in events if self._concerns(recorded.event)]
            if concerned or reached - written >= EVENTS_PER_WRITE:
                await in_database_thread(self._store.apply, concerned, after=written, up_to=reached)
                written = reached
            self._progress.move_to(reached)

    async def wait_for(self, position: int, *, seconds: float) -> None:
        """Return once the view includes `position`. Raises: TimeoutError."""
        await self._progress.wait_for(position, seconds=seconds)
