"""Erases superseded bytes: replaced chunks, what was made of them or in another language than the one now wanted, and
what was heard part by part once all of it is in the transcript.

They are kept for the retention, since work that began before may still read them: a note that was ordered of the
transcript, a download under way.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.positions import PositionStore
from domain.events import (
    ChunkStored,
    LoggedEvent,
    PartHeard,
    RetryRequested,
    Stage,
    Transcribed,
    TranscriptionRequested,
)
from service.application.clock import Clock, kept_for
from service.application.erasing import Erasing
from service.application.trace import trace_id

logger = logging.getLogger(__name__)

SHORTEST_RETENTION = timedelta(minutes=1)
"""In which every command is decided that was given before: none supersedes anything in the past."""

TOGETHER = 10
"""What becomes due within this part of the retention is erased together, and noted in one event."""


class SupersededEraser:
    """One follower, which reads the log as far behind its head as the retention is long.

    Erasing again what is gone is no error, so reading an event twice does no harm. What is dated in
    the future, by a clock that was ahead, holds up nothing; it goes with the first of its recording to become due after
    that time, or with the recording.
    """

    name = "erase-superseded"

    def __init__(
        self, retention: timedelta, *, log: EventLog, erasing: Erasing, positions: PositionStore, clock: Clock
    ) -> None:
        self._retention = max(retention, SHORTEST_RETENTION)
        self._log = log
        self._erasing = erasing
        self._positions = positions
        self._clock = clock

    async def run(self) -> None:
        """Follow the log until cancelled. Raises: as `Erasing.erase_superseded`; if run again, it goes on."""
        async for events in self._log.follow(after=self._positions.load(self.name)):
            for some in self._together(events):
                await self._erase(some)
            self._positions.save(self.name, events[-1].position)

    def _together(self, events: Sequence[RecordedEvent]) -> list[list[RecordedEvent]]:
        """Those of the events that may have superseded something, in groups that become due at about one time."""
        groups: list[list[RecordedEvent]] = []
        for recorded in events:
            if not _may_supersede(recorded.event):
                continue
            if groups and recorded.event.at - groups[-1][0].event.at < self._retention / TOGETHER:
                groups[-1].append(recorded)
            else:
                groups.append([recorded])
        return groups

    async def _erase(self, events: Sequence[RecordedEvent]) -> None:
        last_at = max(recorded.event.at for recorded in events)
        await kept_for(self._retention, since=last_at, clock=self._clock)
        superseded_until = self._clock() - self._retention
        newest = OrderedDict((recorded.stream_id, recorded) for recorded in events)
        for recording_id, recorded in newest.items():
            trace_id.set(recorded.trace_id)
            await self._erase_of(recording_id, superseded_until)
        self._positions.save(self.name, events[-1].position)

    async def _erase_of(self, recording_id: UUID, superseded_until: datetime) -> None:
        erased = await self._erasing.erase_superseded(recording_id, until=superseded_until)
        if erased:
            logger.info("erased", extra={"follower": self.name, "recording_id": recording_id.hex, "blobs": erased})


def _may_supersede(event: LoggedEvent) -> bool:
    match event:
        case ChunkStored() | PartHeard() | Transcribed():
            return True
        case RetryRequested(stage=stage):
            return stage is Stage.STITCH
        case TranscriptionRequested(is_anew=is_anew):
            return is_anew
        case _:
            return False
