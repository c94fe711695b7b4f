"""Whose recordings are: the project of each, which never changes."""

from collections.abc import Collection
from uuid import UUID

from adapters.event_log.log import EventLog
from domain.events import RecordingOpened
from service.application.recordings import Recordings

NOBODY = ""
"""Of a stream that does not begin like a recording."""


class Projects:
    """Looks into memory first, then into the log."""

    def __init__(self, log: EventLog, recordings: Recordings) -> None:
        self._log = log
        self._recordings = recordings

    async def of(self, recording_ids: Collection[UUID]) -> dict[UUID, str]:
        """The project of each of the recordings. Raises: LogUnavailable."""
        known = {each: self._recordings.in_memory(each, at_least=1) for each in recording_ids}
        found = {each: recording.opened.tenant_id for each, recording in known.items() if recording is not None}
        missing = known.keys() - found.keys()
        firsts = await self._log.first_events(missing) if missing else {}
        for each in missing:
            first = firsts.get(each)
            found[each] = first.tenant_id if isinstance(first, RecordingOpened) else NOBODY
        return found
