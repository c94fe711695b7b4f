"""Erases the blobs of deleted recordings. Erasing what is gone already does nothing, so doing it again is safe."""

from uuid import UUID

from adapters.blobs.store import BlobStore
from adapters.event_log.log import EventLog
from adapters.positions import PositionStore
from domain.events import RecordingDeleted
from service.processing import recording_prefix


class Eraser:
    """Follows the log and erases, one recording after another."""

    name = "erase"

    def __init__(self, blobs: BlobStore, *, log: EventLog, positions: PositionStore) -> None:
        self._blobs = blobs
        self._log = log
        self._positions = positions

    async def run(self) -> None:
        """Follow the log for ever."""
        async for events in self._log.follow(after=self._positions.load(self.name)):
            for recorded in events:
                if type(recorded.event) is RecordingDeleted:
                    await self.erase(recorded.recording_id)
            self._positions.save(self.name, events[-1].position)

    async def erase(self, recording_id: UUID) -> None:
        """Remove every blob of the recording. Raises: StorageUnavailable."""
        for key in list(self._blobs.keys(recording_prefix(recording_id))):
            await self._blobs.delete(key)
