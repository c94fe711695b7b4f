"""Erases blobs a while after an event has made them superfluous.

An `Erasable` says which event, and which blobs then. Erasing again what is gone is no error, so an event read twice
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
"""Then the clock is looked at again: it may have been set."""


@dataclass(frozen=True, slots=True)
class Erasable:
    """After an `event`, everything of the recording that begins with `prefix` may go."""

    event: type[RecordingEvent]
    prefix: Callable[[UUID], str]


STITCHED_CHUNKS = Erasable(Stitched, lambda recording_id: blob_prefix(recording_id, "chunk"))
"""Their sound is in the one file that was made of them."""

DELETED_RECORDINGS = Erasable(RecordingDeleted, recording_prefix)
"""Nothing that was ever stored for them stays."""


class Eraser:
    """One follower. Events of one kind come in the order of their times, so waiting for the first delays no other.

    Without a retention it looks at no clock: setting one back delays nothing.
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
        """Follow the log until cancelled. Raises: StorageFull, StorageUnavailable; run again, it goes on from there."""
        async for events in self._log.follow(after=self._positions.load(self.name)):
            for recorded in events:
                if type(recorded.event) is self._erasable.event:
                    if self._retention:
                        await self._until(recorded.event.at + self._retention)
                    trace_id.set(recorded.trace_id)
                    await self.erase(recorded.stream_id)
                    self._positions.save(self.name, recorded.position)
            self._positions.save(self.name, events[-1].position)

    async def erase(self, recording_id: UUID) -> None:
        """Erase now what the recording has of this. Raises: StorageFull, StorageUnavailable."""
        erased = await self._blobs.erase(self._erasable.prefix(recording_id))
        logger.info("erased", extra={"follower": self.name, "recording_id": recording_id.hex, "blobs": erased})

    async def _until(self, due: datetime) -> None:
        while (left := due - self._clock()) > timedelta():  # noqa: ASYNC110 - no event tells that time has passed
            await asyncio.sleep(min(left, LONGEST_SLEEP).total_seconds())
