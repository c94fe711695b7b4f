"""Erases blobs some time after an event has made them superfluous.

An `Erasable` says which event, and which blobs. Erasing what is already gone is no error, so reading an event twice
does no harm. What is erased is nowhere in the store any more.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from adapters.blobs.port import BlobStore
from adapters.event_log.log import EventLog
from adapters.positions import PositionStore
from domain.events import RecordingDeleted, RecordingEvent, Stitched
from service.application.blob_names import blob_prefix, recording_prefix
from service.application.clock import Clock
from service.application.trace import trace_id

logger = logging.getLogger(__name__)

LONGEST_SLEEP = timedelta(minutes=1)
"""After this long the clock is checked again: it may have been set."""


@dataclass(frozen=True, slots=True)
class Erasable:
    """After an `event` that `is_final`, all blobs of the recording whose keys begin with `prefix` may go."""

    event: type[RecordingEvent]
    prefix: Callable[[UUID], str]
    is_final: Callable[[RecordingEvent], bool] = lambda _: True


STITCHED_CHUNKS = Erasable(
    Stitched,
    lambda recording_id: blob_prefix(recording_id, "chunk"),
    is_final=lambda event: isinstance(event, Stitched) and not event.damage,
)
"""Their sound is in the one file made from them. While some of it is not, they are kept, to be stitched anew."""

DELETED_RECORDINGS = Erasable(RecordingDeleted, recording_prefix)
"""Nothing that was ever stored for them stays."""


class Eraser:
    """One follower. Events of one kind come in the order of their times, so waiting for the first delays no other.

    Without a retention it ignores the clock, so setting the clock back delays nothing.
    """

    def __init__(
        self,
        name: str,
        erasable: Erasable,
        retention: timedelta,
        *,
        log: EventLog,
        blobs: BlobStore,
        positions: PositionStore,
        clock: Clock,
    ) -> None:
        self.name = name
        self._erasable = erasable
        self._retention = retention
        self._log = log
        self._blobs = blobs
        self._positions = positions
        self._clock = clock

    async def run(self) -> None:
        """Follow the log until cancelled. Raises: StorageFull, StorageUnavailable; if run again, it goes on."""
        async for events in self._log.follow(after=self._positions.load(self.name)):
            for recorded in events:
                if type(recorded.event) is self._erasable.event and self._erasable.is_final(recorded.event):
                    if self._retention:
                        await self._until(recorded.event.at + self._retention)
                    trace_id.set(recorded.trace_id)
                    await self.erase(recorded.stream_id)
                    self._positions.save(self.name, recorded.position)
            self._positions.save(self.name, events[-1].position)

    async def erase(self, recording_id: UUID) -> None:
        """Erase these blobs of the recording now. Raises: StorageFull, StorageUnavailable."""
        erased = await self._blobs.erase(self._erasable.prefix(recording_id))
        logger.info("erased", extra={"follower": self.name, "recording_id": recording_id.hex, "blobs": erased})

    async def _until(self, due: datetime) -> None:
        while (left := due - self._clock()) > timedelta():  # noqa: ASYNC110 - no event tells that time has passed
            await asyncio.sleep(min(left, LONGEST_SLEEP).total_seconds())
