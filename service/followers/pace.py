"""Measures how long recognition takes, from what the log says of the recordings that were recognized lately."""

from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from domain.events import Failed, RecordingDeleted, RetryRequested, Stitched, Transcribed, TranscriptionRequested
from service.application.clock import Clock

MEASURED_KEPT = 64
"""The newest measurements: the machine may have had less to do before."""

WAITING_KEPT = 10_000
LEAST_MEASURED = 3
MEASURED_FOR = timedelta(hours=1)
SIMILAR = 4.0
"""Audio is of a similar length up to this factor. What is much shorter takes longer for each second."""

_NO_MEASURE = (Failed, RecordingDeleted, RetryRequested, TranscriptionRequested)
"""After these the time from stitching to the transcript is not what recognition took."""


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
        self._stitched: OrderedDict[UUID, Stitched] = OrderedDict()
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
        if isinstance(event, Stitched):
            self._stitched[recorded.stream_id] = event
            if len(self._stitched) > WAITING_KEPT:
                self._stitched.popitem(last=False)
        elif isinstance(event, Transcribed):
            stitched = self._stitched.pop(recorded.stream_id, None)
            if stitched is not None and stitched.duration_ms:
                seconds = (event.at - stitched.at).total_seconds()
                self._measured.append(_Measured(event.at, stitched.duration_ms, seconds))
        elif isinstance(event, _NO_MEASURE):
            self._stitched.pop(recorded.stream_id, None)

    def ready_at(self, begun_at: datetime, audio_ms: int) -> datetime | None:
        """When so much audio will be recognized, by the median of what took about as long to say.

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
        ready_at = begun_at + timedelta(seconds=median(paces) * audio_ms)
        return ready_at if ready_at > now else None
