"""Measures how long recognition takes, from what the log says of the recordings that were recognized lately."""

from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import TypeVar
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from domain.events import (
    Failed,
    PartHeard,
    RecordingDeleted,
    RetryRequested,
    Stitched,
    Transcribed,
    TranscriptionRequested,
)
from service.application.clock import Clock

MEASURED_KEPT = 64
"""The newest measurements: the machine may have had less to do before."""

WAITING_KEPT = 10_000
LEAST_MEASURED = 3
MEASURED_FOR = timedelta(hours=1)
SIMILAR = 4.0
"""Audio is of a similar length up to this factor. What is much shorter takes longer for each second."""

T = TypeVar("T")

_NO_MEASURE = (Transcribed, Failed, RecordingDeleted, RetryRequested, TranscriptionRequested)
"""After these the time from stitching to the next transcript is not what recognition took."""


@dataclass(frozen=True, slots=True)
class _Left:
    """How much was left to be recognized of a recording when it was stitched."""

    at: datetime
    audio_ms: int


@dataclass(frozen=True, slots=True)
class _Measured:
    """Waiting for a worker included, as it will be for the next recording."""

    at: datetime
    audio_ms: int
    seconds: float


class PaceFollower:
    """Follows the log from where it was when this was made; before that, nothing is measured."""

    name = "pace"

    def __init__(self, log: EventLog, *, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._position = log.head
        self._heard_ms: OrderedDict[UUID, int] = OrderedDict()
        self._left: OrderedDict[UUID, _Left] = OrderedDict()
        self._measured: deque[_Measured] = deque(maxlen=MEASURED_KEPT)

    async def run(self) -> None:
        """Follow the log until cancelled."""
        async for events in self._log.follow(after=self._position):
            for recorded in events:
                self.measure(recorded)
            self._position = events[-1].position

    def measure(self, recorded: RecordedEvent) -> None:
        """Take note of one event."""
        event = recorded.event
        its_id = recorded.stream_id
        if isinstance(event, PartHeard):
            _keep(self._heard_ms, its_id, event.start_ms + event.duration_ms)
        elif isinstance(event, Stitched):
            _keep(self._left, its_id, _Left(event.at, event.duration_ms - self._heard_ms.pop(its_id, 0)))
        elif isinstance(event, Transcribed):
            left = self._left.pop(its_id, None)
            if left is not None and left.audio_ms > 0:
                self._measured.append(_Measured(event.at, left.audio_ms, (event.at - left.at).total_seconds()))
        if isinstance(event, _NO_MEASURE):
            self._left.pop(its_id, None)
            self._heard_ms.pop(its_id, None)

    def ready_at(self, stitched_at: datetime, audio_ms: int) -> datetime | None:
        """When so much audio, which was left when it was stitched, will be recognized: by the median of what took
        about as long to say.

        None if too little like it was recognized within the last hour, or if that moment is over already.
        """
        now = self._clock()
        paces = [
            each.seconds / each.audio_ms
            for each in self._measured
            if each.at >= now - MEASURED_FOR and each.audio_ms / SIMILAR <= audio_ms <= each.audio_ms * SIMILAR
        ]
        if len(paces) < LEAST_MEASURED:
            return None
        ready_at = stitched_at + timedelta(seconds=median(paces) * audio_ms)
        return ready_at if ready_at > now else None


def _keep(kept: OrderedDict[UUID, T], its_id: UUID, value: T) -> None:
    """What was kept first is dropped first."""
    kept[its_id] = value
    if len(kept) > WAITING_KEPT:
        kept.popitem(last=False)
