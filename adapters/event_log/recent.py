"""The newest events of the log in memory: who keeps up reads them there, whichever process wrote them."""

from collections.abc import Sequence

from adapters.event_log.mapper import RecordedEvent

RECENT_EVENTS = 4_096
"""Events kept in memory: followers that keep up never read from the disk what this process wrote, and read once for all
of them what others wrote."""


class RecentEvents:
    """A stretch of the log without a gap, at most twice `RECENT_EVENTS` long."""

    def __init__(self) -> None:
        self._events: list[RecordedEvent] = []

    def after(self, position: int, *, limit: int) -> list[RecordedEvent]:
        """At most `limit` events after `position`, in order; empty if the next one is not here."""
        if not self._events:
            return []
        offset = position + 1 - self._events[0].position
        return self._events[offset : offset + limit] if offset >= 0 else []

    def committed(self, events: Sequence[RecordedEvent]) -> None:
        """Keep what this process has committed, if it follows at once; else it is read later, with what is missing."""
        if not self._events or events[0].position == self._events[-1].position + 1:
            self._events += events
            self._drop_oldest()

    def read(self, events: Sequence[RecordedEvent], *, head: int) -> list[RecordedEvent]:
        """Keep what was read from the log, if it is among its newest events. Returns those that were not known.

        What begins later than at the end of those in memory is left to who reads on there, unless that is far behind.
        `head`: the log's last position.
        """
        if not events or events[-1].position <= head - RECENT_EVENTS or not _is_whole(events):
            return []
        known_until = self._events[-1].position if self._events else 0
        if events[0].position > known_until + 1:
            if self._events and known_until > head - RECENT_EVENTS:
                return []
            self._events.clear()
        new = [recorded for recorded in events if recorded.position > known_until]
        self._events += new
        self._drop_oldest()
        return new

    def _drop_oldest(self) -> None:
        if len(self._events) > 2 * RECENT_EVENTS:
            del self._events[: len(self._events) - RECENT_EVENTS]


def _is_whole(events: Sequence[RecordedEvent]) -> bool:
    return events[-1].position - events[0].position == len(events) - 1
