"""Events at their positions, as a log gives them, for stores that make a view of them."""

from uuid import uuid4

from adapters.event_log.mapper import RecordedEvent
from tests.domain.histories import chunk, note_ordered, opened, session_opened


class Told:
    def __init__(self):
        self.events = []
        self._versions = {}

    def tell(self, stream_id, *events):
        for event in events:
            version = self._versions[stream_id] = self._versions.get(stream_id, 0) + 1
            self.events.append(RecordedEvent(len(self.events) + 1, stream_id, version, event, None))
        return stream_id

    def read(self, after, limit=2):
        return self.events[after : after + limit]


def told_of_each_view():
    """Something for each of the views."""
    told = Told()
    told.tell(uuid4(), opened(), chunk(1, b"12345"))
    told.tell(uuid4(), note_ordered())
    told.tell(uuid4(), session_opened())
    return told
