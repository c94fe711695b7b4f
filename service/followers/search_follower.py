"""Keeps the search index in step with the log, and lets a search wait until the index includes a write."""

from adapters.database.looking_up import in_database_thread
from adapters.event_log.log import EventLog
from adapters.rebuilding import PositionMoved
from adapters.search.index import Changes, SearchIndex
from service.application.search_changes import EVENTS_AT_ONCE, SearchChanges
from service.followers.view_progress import ViewProgress

EVENTS_PER_WRITE = 1_000
"""Events that mean nothing for the index are passed over; how far, is written after so many of them."""


class SearchFollower:
    """Indexes transcripts as they come, and forgets what is deleted or about to be made anew."""

    name = "search"

    def __init__(self, log: EventLog, index: SearchIndex, changes: SearchChanges) -> None:
        self._log = log
        self._index = index
        self._changes = changes
        self._progress = ViewProgress(log)
        self._has_to_erase = True

    @property
    def position(self) -> int:
        """The position of the last event in the index; searches see everything up to it."""
        return self._progress.position

    async def run(self) -> None:
        """Follow the log until cancelled. Raises: OtherSchema; StorageUnavailable, DatabaseUnavailable.
        If run again, it goes on.
        """
        while True:
            try:
                await self._follow()
            except PositionMoved:
                continue  # rebuilt meanwhile, or another process was faster

    async def _follow(self) -> None:
        """Raises: as `run`; PositionMoved."""
        written = await in_database_thread(self._index.position)
        self._progress.move_to(written)
        await self._erase_while_idle()
        async for events in self._log.follow(after=self.position, limit=EVENTS_AT_ONCE):
            found = await self._changes.of(events)
            if found.changes or found.position - written >= EVENTS_PER_WRITE:
                written = await self._write(found, after=written)
            self._progress.move_to(found.position)
            if found.changes or self._has_to_erase:
                await self._erase_while_idle()

    async def _write(self, found: Changes, *, after: int) -> int:
        await in_database_thread(self._index.apply, found, after=after)
        return found.position

    async def _erase_while_idle(self) -> None:
        """A step at least, so that it comes to an end also when the log never stops growing."""
        self._has_to_erase = True
        while self._has_to_erase:
            self._has_to_erase = await in_database_thread(self._index.erase_some)
            if self._log.head > self.position:
                return

    async def wait_for(self, position: int, *, seconds: float) -> None:
        """Return once the index includes `position`. Raises: TimeoutError."""
        await self._progress.wait_for(position, seconds=seconds)
