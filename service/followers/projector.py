"""Keeps a view that is made of all events in step with the log, and lets a query wait until it includes a write.

The status view and what projects use are such views.
"""

from collections.abc import Sequence
from typing import Protocol

from adapters.database.looking_up import in_database_thread
from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.rebuilding import PositionMoved
from service.followers.view_progress import ViewProgress


class ViewStore(Protocol):
    """Where a view is kept. Blocking: for threads."""

    def position(self) -> int:
        """The position of the last event in the view."""
        ...

    def apply(self, events: Sequence[RecordedEvent], *, after: int) -> None:
        """Fold `events`, which follow position `after`, into the view. Raises: OtherSchema; PositionMoved."""
        ...


class Projector:
    """Folds the log's events into the view called `name`, batch by batch."""

    def __init__(self, name: str, log: EventLog, store: ViewStore) -> None:
        self.name = name
        self._log = log
        self._store = store
        self._progress = ViewProgress(log)

    @property
    def position(self) -> int:
        """The position of the last event in the view; queries see everything up to it."""
        return self._progress.position

    async def run(self) -> None:
        """Follow the log until cancelled. Raises: OtherSchema."""
        while True:
            self._progress.move_to(await in_database_thread(self._store.position))
            try:
                async for events in self._log.follow(after=self.position):
                    await in_database_thread(self._store.apply, events, after=self.position)
                    self._progress.move_to(events[-1].position)
            except PositionMoved:
                continue  # rebuilt meanwhile, or another process was faster

    async def wait_for(self, position: int, *, seconds: float) -> None:
        """Return once the view includes `position`. Raises: TimeoutError."""
        await self._progress.wait_for(position, seconds=seconds)
