"""Keeps the status view in step with the log, and lets a query wait until the view includes a write."""

import asyncio

from adapters.event_log.log import EventLog
from adapters.summaries import PositionMoved, SummaryStore


class Projector:
    """Folds the log's events into the summaries, batch by batch."""

    name = "summaries"

    def __init__(self, log: EventLog, store: SummaryStore) -> None:
        self._log = log
        self._store = store
        self._moved = asyncio.Event()
        self.position = 0
        """The position of the last event in the view; queries see everything up to it."""

    async def run(self) -> None:
        """Follow the log until cancelled."""
        while True:
            self._move_to(await asyncio.to_thread(self._store.position))
            try:
                async for events in self._log.follow(after=self.position):
                    await asyncio.to_thread(self._store.apply, events, after=self.position)
                    self._move_to(events[-1].position)
            except PositionMoved:
                continue  # rebuilt meanwhile, or another process was faster

    def _move_to(self, position: int) -> None:
        self.position = position
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait_for(self, position: int, *, seconds: float) -> None:
        """Return once the view includes `position`. Raises: TimeoutError."""
        if self.position >= position:
            return
        self._log.wake()
        async with asyncio.timeout(seconds):
            while self.position < position:
                await self._moved.wait()
