"""What clients call a recording, session or note order, for each of its events, though only the first says so."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from domain.events import OpeningEvent

REMEMBERED = 10_000
"""How many recordings, sessions and note orders have their ids kept, about half a kilobyte each; those least recently
published go first."""

ClientIdsOf = Callable[[UUID, OpeningEvent], Mapping[str, str]]
"""From the id and the first event of a recording, session or note order; always gives the same ids."""


class ClientIds:
    """The ids by stream. Those not published recently are read from the log, one slice's together."""

    def __init__(self, log: EventLog, client_ids_of: ClientIdsOf, *, remembered: int = REMEMBERED) -> None:
        self._log = log
        self._client_ids_of = client_ids_of
        self._remembered = remembered
        self._known: OrderedDict[UUID, Mapping[str, str]] = OrderedDict()

    async def of(self, events: Sequence[RecordedEvent]) -> list[Mapping[str, str]]:
        """The ids for each event, in order. Raises: LogUnavailable."""
        found: dict[UUID, Mapping[str, str]] = {}
        unknown: set[UUID] = set()
        for recorded in events:
            stream_id = recorded.stream_id
            if stream_id in found:
                continue
            if (known := self._known.get(stream_id)) is not None:
                found[stream_id] = known
            elif isinstance(recorded.event, OpeningEvent):
                found[stream_id] = self._client_ids_of(stream_id, recorded.event)
            else:
                unknown.add(stream_id)
        if unknown:
            found |= await self._read(unknown)
        self._remember(found)
        return [found[recorded.stream_id] for recorded in events]

    async def _read(self, stream_ids: set[UUID]) -> dict[UUID, Mapping[str, str]]:
        first_events = await self._log.first_events(stream_ids)
        return {
            stream_id: self._client_ids_of(stream_id, event)
            if isinstance(event := first_events.get(stream_id), OpeningEvent)
            else {}
            for stream_id in stream_ids
        }

    def _remember(self, found: Mapping[UUID, Mapping[str, str]]) -> None:
        for stream_id, client_ids in found.items():
            self._known[stream_id] = client_ids
            self._known.move_to_end(stream_id)
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)
