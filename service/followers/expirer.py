"""Closes recordings that were begun and never completed, once they expire; files that have arrived it completes."""

import heapq
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.positions import PositionStore
from domain.commands import ExpireRecording
from domain.errors import RecordingError
from domain.events import Failed, RecordingDeleted, RecordingOpened, Stitched
from service.application.clock import Clock
from service.application.recordings import Recordings


@dataclass(frozen=True, order=True, slots=True)
class _Deadline:
    expires_at: datetime
    recording_id: UUID = field(compare=False)


class Expirer:
    """Its saved position is the one before the oldest recording still open; after a restart it reads on from there.

    It looks at the clock whenever the log grows, and about once a second.
    """

    name = "expire"

    def __init__(self, *, log: EventLog, recordings: Recordings, positions: PositionStore, clock: Clock) -> None:
        self._log = log
        self._recordings = recordings
        self._positions = positions
        self._clock = clock

    async def run(self) -> None:
        """Follow the log until cancelled."""
        self._opened_at: dict[UUID, int] = {}  # in the order of positions, because the log is read in that order
        self._deadlines: list[_Deadline] = []
        position = saved = self._positions.load(self.name)
        while True:
            events = await self._log.read(after=position)
            for recorded in events:
                self._note(recorded)
                position = recorded.position
            await self._close_due()
            reached = next(iter(self._opened_at.values()), position + 1) - 1
            if reached > saved:
                self._positions.save(self.name, reached)
                saved = reached
            if not events:
                await self._log.wait_for_growth(position)

    def _note(self, recorded: RecordedEvent) -> None:
        match recorded.event:
            case RecordingOpened(expires_at=expires_at):
                self._opened_at[recorded.stream_id] = recorded.position
                heapq.heappush(self._deadlines, _Deadline(expires_at, recorded.stream_id))
            case Stitched() | Failed() | RecordingDeleted():
                self._opened_at.pop(recorded.stream_id, None)

    async def _close_due(self) -> None:
        now = self._clock()
        while self._deadlines and self._deadlines[0].expires_at <= now:
            recording_id = self._deadlines[0].recording_id
            if recording_id in self._opened_at:
                with suppress(RecordingError):  # deleted meanwhile
                    await self._recordings.execute(recording_id, ExpireRecording(at=now))
            heapq.heappop(self._deadlines)
            self._opened_at.pop(recording_id, None)
