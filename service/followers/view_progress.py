"""How far a view has come in the log, and waiting until it includes a write."""

import asyncio

from adapters.event_log.log import EventLog


class ViewProgress:
    """For the follower that keeps the view, and for queries of it."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._moved = asyncio.Event()
        self.position = 0
        """The position of the last event in the view; queries see everything up to it."""

    def move_to(self, position: int) -> None:
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
