"""Keeps the view of what projects use in step with the log."""

import asyncio

from adapters.event_log.log import EventLog
from adapters.rebuilding import PositionMoved
from adapters.usage import UsageStore
from service.followers.view_progress import ViewProgress


class UsageView:
    """Folds the log's events into what each project uses, batch by batch."""

    name = "usage"

    def __init__(self, log: EventLog, store: UsageStore) -> None:
        self._log = log
        self._store = store
        self._progress = ViewProgress(log)

    @property
    def position(self) -> int:
        """The position of the last event in the view."""
        return self._progress.position

    async def run(self) -> None:
        """Follow the log until cancelled."""
        while True:
            self._progress.move_to(await asyncio.to_thread(self._store.position))
            try:
                async for events in self._log.follow(after=self.position):
                    await asyncio.to_thread(self._store.apply, events, after=self.position)
                    self._progress.move_to(events[-1].position)
            except PositionMoved:
                continue  # rebuilt meanwhile, or another process was faster

    async def wait_for(self, position: int, *, seconds: float) -> None:
        """Return once the view includes `position`. Raises: TimeoutError."""
        await self._progress.wait_for(position, seconds=seconds)
