"""Erasing what need not be kept of recordings, and noting in their histories that it is gone."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from uuid import UUID

from adapters.blobs.looking import is_stored
from adapters.blobs.port import BlobStore
from domain.commands import EraseContent
from domain.errors import RecordingNotFound
from domain.events import ErasedPart
from domain.recording import Recording
from service.application.blob_names import MADE, blob_prefix, edition_of, recording_prefix
from service.application.clock import Clock
from service.application.keyed_locks import Locks
from service.application.recordings import Recordings
from service.application.trace import trace_id

BLOBS_AT_ONCE = 1_000

logger = logging.getLogger(__name__)

_PREFIXES = {
    ErasedPart.CHUNKS: lambda recording_id: blob_prefix(recording_id, "chunk"),
    ErasedPart.EVERYTHING: recording_prefix,
}


class Erasing:
    """`settling`: a lock for each blob, which uploads take, too.

    What other processes have stored is seen, too. All methods may be called again after a failure, and for a deleted
    recording, of which they leave everything to its deletion. They raise StorageFull, StorageUnavailable, LogFull,
    LogUnavailable, Contended.
    """

    def __init__(self, recordings: Recordings, blobs: BlobStore, *, settling: Locks, clock: Clock) -> None:
        self._recordings = recordings
        self._blobs = blobs
        self._settling = settling
        self._clock = clock

    async def erase(self, recording_id: UUID, part: ErasedPart) -> int:
        """Erase a part of the recording, if it is of no use any more. Returns how many blobs were erased.

        The event comes first: from then on, what is sent again is not taken to be stored. Chunks stay if the audio that
        they were stitched to is missing, as in a bucket from an older backup: they are all that is left.
        """
        if part is ErasedPart.CHUNKS and await self._lacks_audio(recording_id):
            logger.warning("chunks are kept, since their audio is missing", extra={"recording_id": recording_id.hex})
            return 0
        command = EraseContent(at=self._clock(), part=part)
        try:
            recording = (await self._recordings.execute(recording_id, command, trace_id=trace_id.get())).state
        except RecordingNotFound:
            return 0
        return await self._blobs.erase(_PREFIXES[part](recording_id)) if recording.erased is part else 0

    async def _lacks_audio(self, recording_id: UUID) -> bool:
        try:
            stitched = (await self._recordings.newest(recording_id)).stitched
        except RecordingNotFound:
            return False
        return stitched is not None and not await is_stored(self._blobs, stitched.blob_key)

    async def erase_superseded(self, recording_id: UUID, *, until: datetime) -> int:
        """Erase what was superseded at `until`, which is in the past. Returns how many blobs were erased.

        The event comes last: it makes the recording forget which blobs these were.
        """
        try:
            recording = await self._recordings.newest(recording_id)
            if not recording.superseded_until(until):
                return 0
            erased = await self._erase_unused(recording_id, await self._superseded(recording_id, recording, until))
            command = EraseContent(at=self._clock(), part=ErasedPart.SUPERSEDED, superseded_until=until)
            await self._recordings.execute(recording_id, command, trace_id=trace_id.get())
        except RecordingNotFound:
            return 0
        return erased

    async def _superseded(self, recording_id: UUID, recording: Recording, until: datetime) -> Sequence[str]:
        """The keys of superseded blobs, and of what was made of earlier editions and came too late to be recorded."""
        due = {each.blob_key for each in recording.superseded_until(until)}
        later = {each.blob_key for each in recording.superseded.values() if each.at > until}
        if recording.edition:
            due |= await asyncio.to_thread(self._made_before, recording_id, recording.edition)
        return sorted(due - later)

    def _made_before(self, recording_id: UUID, edition: int) -> set[str]:
        keys = (key for kind in MADE for key in self._blobs.keys(blob_prefix(recording_id, kind)))
        return {key for key in keys if (edition_of(key) or 0) < edition}

    async def _erase_unused(self, recording_id: UUID, keys: Sequence[str]) -> int:
        """Erase these blobs, but for those that the recording uses, perhaps again. Raises: RecordingNotFound."""
        erased = 0
        for start in range(0, len(keys), BLOBS_AT_ONCE):
            some = keys[start : start + BLOBS_AT_ONCE]
            async with AsyncExitStack() as settling:
                for key in some:
                    await settling.enter_async_context(self._settling.of(key))
                in_use = (await self._recordings.newest(recording_id)).blobs_in_use()
                unused = [key for key in some if key not in in_use]
                await self._blobs.erase_keys(unused)
                erased += len(unused)
        return erased
