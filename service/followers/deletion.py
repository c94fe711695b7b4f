"""Erases everything that was ever stored of a recording, right after its deletion."""

import logging
from uuid import UUID

from adapters.blobs.port import BlobStore
from adapters.event_log.log import EventLog
from adapters.positions import PositionStore
from domain.events import RecordingDeleted
from service.application.blob_names import recording_prefix
from service.application.recordings import Recordings
from service.application.trace import trace_id

logger = logging.getLogger(__name__)


class Deletion:
    """One follower. Erasing what is gone is no error, so reading an event twice does no harm.

    What is erased is nowhere in the store any more. A snapshot of the recording goes, too: with many chunks it is the
    largest thing that a deletion would leave behind.
    """

    name = "erase"

    def __init__(self, *, log: EventLog, recordings: Recordings, blobs: BlobStore, positions: PositionStore) -> None:
        self._log = log
        self._recordings = recordings
        self._blobs = blobs
        self._positions = positions

    async def run(self) -> None:
        """Follow the log until cancelled. Raises: StorageFull, StorageUnavailable; if run again, it goes on."""
        async for events in self._log.follow(after=self._positions.load(self.name)):
            for recorded in events:
                if type(recorded.event) is RecordingDeleted:
                    trace_id.set(recorded.trace_id)
                    await self.erase(recorded.stream_id)
                    await self._recordings.forget_snapshot(recorded.stream_id)
                    self._positions.save(self.name, recorded.position)
            self._positions.save(self.name, events[-1].position)

    async def erase(self, recording_id: UUID) -> None:
        """Erase all blobs of the recording now. Raises: StorageFull, StorageUnavailable."""
        erased = await self._blobs.erase(recording_prefix(recording_id))
        logger.info("erased", extra={"follower": self.name, "recording_id": recording_id.hex, "blobs": erased})
