"""What followers keep, in memory: positions, summaries and a topic. All but the topic may lose their newest writes."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from adapters.event_log.mapper import RecordedEvent
from adapters.rebuilding import PositionMoved
from adapters.summaries import ReadEvents
from domain.summary import RecordingSummary, evolve_summary
from tests.tools.simulation import faults as fault
from tests.tools.simulation.faults import Faults


class MemoryPositionStore:
    """A `PositionStore`."""

    def __init__(self) -> None:
        self._saved: dict[str, list[int]] = {}

    def load(self, follower: str) -> int:
        return self._saved.get(follower, [0])[-1]

    def save(self, follower: str, position: int) -> None:
        self._saved.setdefault(follower, [0]).append(position)

    def lose_newest(self, faults: Faults) -> None:
        """As after a power cut, for some of the followers."""
        for saved in self._saved.values():
            if faults.happens(fault.POSITION_LOST):
                del saved[faults.random.randrange(1, len(saved) + 1) :]

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


class MemorySummaryStore:
    """A `SummaryStore` that keeps its state at every position that it has had."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, dict[UUID, RecordingSummary]]] = [(0, {})]

    def position(self) -> int:
        return self._kept[-1][0]

    def find(self, recording_id: UUID) -> RecordingSummary | None:
        return self._kept[-1][1].get(recording_id)

    def apply(self, events: Sequence[RecordedEvent], *, after: int) -> None:
        if self.position() != after:
            raise PositionMoved
        self._kept.append((events[-1].position, _folded(self._kept[-1][1], events)))

    def rebuild(self, read: ReadEvents) -> int:
        position, rows = 0, dict[UUID, RecordingSummary]()
        while events := read(position):
            position, rows = events[-1].position, _folded(rows, events)
        self._kept.append((position, rows))
        return position

    def lose_newest(self, faults: Faults) -> None:
        """As after a power cut: rows and position go back together."""
        if faults.happens(fault.VIEW_LOST):
            del self._kept[faults.random.randrange(1, len(self._kept) + 1) :]

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def _folded(rows: dict[UUID, RecordingSummary], events: Sequence[RecordedEvent]) -> dict[UUID, RecordingSummary]:
    rows, by_recording = dict(rows), attrgetter("stream_id")
    for recording_id, its_events in groupby(sorted(events, key=by_recording), key=by_recording):
        summary = rows.get(recording_id)
        for recorded in its_events:
            summary = evolve_summary(summary, recorded.event)
        if summary is not None:
            rows[recording_id] = summary
    return rows


class TopicUnavailable(Exception):
    """The topic cannot be written to at the moment."""


class Fenced(Exception):
    """A newer producer has taken over."""


class Topic:
    """Takes messages and the log position that they reach in one transaction, only from the newest producer."""

    def __init__(self, faults: Faults) -> None:
        self.messages: list[RecordedEvent] = []
        self.position = 0
        self._producer = 0
        self._faults = faults

    def begin(self) -> tuple[int, int]:
        """A new producer, which fences earlier ones, and the position reached."""
        if self._faults.happens(fault.TOPIC_UNAVAILABLE):
            raise TopicUnavailable
        self._producer += 1
        return self._producer, self.position

    def commit(self, producer: int, messages: Sequence[RecordedEvent], position: int) -> None:
        if producer != self._producer:
            raise Fenced
        if self._faults.happens(fault.TOPIC_UNAVAILABLE):
            raise TopicUnavailable
        self.messages.extend(messages)
        self.position = position
        if self._faults.happens(fault.TOPIC_UNANSWERED):
            raise TopicUnavailable
