"""Erases blobs some time after an event has made them superfluous.

An `Erasable` says which event, and what then goes. Erasing what is already gone is no error, so reading an event twice
does no harm. What is erased is nowhere in the store any more.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.positions import PositionStore
from domain.events import ErasedPart, Failed, RecordingEvent, Stage, Stitched
from service.application.clock import Clock, kept_for
from service.application.erasing import Erasing
from service.application.trace import trace_id

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Erasable:
    """After an `event` that `is_final`, this part of the recording may go."""

    part: ErasedPart
    event: type[RecordingEvent]
    is_final: Callable[[RecordingEvent], bool]


STITCHED_CHUNKS = Erasable(
    ErasedPart.CHUNKS, Stitched, is_final=lambda event: isinstance(event, Stitched) and not event.damage
)
"""Their sound is in the one file made from them. While some of it is not, they are kept, to be stitched anew."""

EXPIRED_RECORDINGS = Erasable(
    ErasedPart.EVERYTHING, Failed, is_final=lambda event: isinstance(event, Failed) and event.stage is Stage.UPLOAD
)
"""They can never be completed. Until then, what was acknowledged of them can be fetched."""


class Eraser:
    """One follower. Events of one kind come in the order of their times, so waiting for the first delays no other.

    Without a retention it ignores the clock, so setting the clock back delays nothing. The retention of an event
    that a clock dated ahead of time begins when it is read.
    """

    def __init__(
        self,
        name: str,
        erasable: Erasable,
        retention: timedelta,
        *,
        log: EventLog,
        erasing: Erasing,
        positions: PositionStore,
        clock: Clock,
    ) -> None:
        self.name = name
        self._erasable = erasable
        self._retention = retention
        self._log = log
        self._erasing = erasing
        self._positions = positions
        self._clock = clock

    async def run(self) -> None:
        """Follow the log until cancelled. Raises: as `Erasing.erase`; if run again, it goes on."""
        async for events in self._log.follow(after=self._positions.load(self.name)):
            for recorded in events:
                if type(recorded.event) is self._erasable.event and self._erasable.is_final(recorded.event):
                    if self._retention:
                        await kept_for(self._retention, since=recorded.event.at, clock=self._clock)
                    trace_id.set(recorded.trace_id)
                    await self._erase(recorded.stream_id)
                    self._positions.save(self.name, recorded.position)
            self._positions.save(self.name, events[-1].position)

    async def _erase(self, recording_id: UUID) -> None:
        erased = await self._erasing.erase(recording_id, self._erasable.part)
        logger.info("erased", extra={"follower": self.name, "recording_id": recording_id.hex, "blobs": erased})
