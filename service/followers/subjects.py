"""What is known of a recording, session or note order, for each of its events, though only the first says so."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from domain.events import OpeningEvent

REMEMBERED = 10_000
"""How many recordings, sessions and note orders are remembered, about half a kilobyte each; those least recently asked
for go first."""

ClientIdsOf = Callable[[UUID, OpeningEvent], Mapping[str, str]]
"""What clients call a recording, session or note order, from its id and its first event; always the same ids."""

T = TypeVar("T")


class Subjects(Generic[T]):
    """What is told of each stream by its first event. Those not asked for recently are read from the log, one slice's
    together.

    `told_by`: always gives the same of the same event. `untold`: of a stream whose first event tells nothing.
    """

    def __init__(
        self, log: EventLog, told_by: Callable[[UUID, OpeningEvent], T], untold: T, *, remembered: int = REMEMBERED
    ) -> None:
        self._log = log
        self._told_by = told_by
        self._untold = untold
        self._remembered = remembered
        self._known: OrderedDict[UUID, T] = OrderedDict()

    async def of(self, events: Sequence[RecordedEvent]) -> list[T]:
        """What is told of each event's stream, in order. Raises: LogUnavailable."""
        found: dict[UUID, T] = {}
        unknown: set[UUID] = set()
        for recorded in events:
            stream_id = recorded.stream_id
            if stream_id in found:
                continue
            if stream_id in self._known:
                found[stream_id] = self._known[stream_id]
            elif isinstance(recorded.event, OpeningEvent):
                found[stream_id] = self._told_by(stream_id, recorded.event)
            else:
                unknown.add(stream_id)
        if unknown:
            found |= await self._read(unknown)
        self._remember(found)
        return [found[recorded.stream_id] for recorded in events]

    async def _read(self, stream_ids: set[UUID]) -> dict[UUID, T]:
        first_events = await self._log.first_events(stream_ids)
        return {
            stream_id: self._told_by(stream_id, event)
            if isinstance(event := first_events.get(stream_id), OpeningEvent)
            else self._untold
            for stream_id in stream_ids
        }

    def _remember(self, found: Mapping[UUID, T]) -> None:
        for stream_id, told in found.items():
            self._known[stream_id] = told
            self._known.move_to_end(stream_id)
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)
