"""What is known of recordings: the status view, including every write answered before, and what blobs hold."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Protocol, cast
from uuid import UUID

from adapters.audio.media_types import BEGINNING_BYTES, UNKNOWN, media_type_of
from adapters.blobs.port import BlobNotFound, BlobStore
from adapters.database.looking_up import looked_up
from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.speech.parts import HeardPart
from adapters.speech.transcript import Transcript
from adapters.summaries import SummaryStore
from adapters.summary_pages import Page, PageQuery
from domain.errors import RecordingNotFound
from domain.events import ChunkStored, PartHeard, RecordingEvent, Transcribed
from domain.recording import Recording
from domain.summary import RecordingSummary, Standing, evolve_summary
from service.application.recordings import Recordings
from service.application.stored_content import content_of, transcript_of

EVENTS_AT_ONCE = 500
"""Of a history that is read only for what it comes to."""

VIEW_SECONDS = 5.0
"""How long a query waits for the view to include every write answered before it."""


class Projection(Protocol):
    """Keeps the view in step with the log."""

    async def wait_for(self, position: int, *, seconds: float) -> None:
        """Return once the view has seen `position`. Raises: TimeoutError."""
        ...


class ViewBehind(Exception):
    def __init__(self, view: str = "status view") -> None:
        super().__init__(f"The {view} is behind; try again.")


class NoSuchEvent(Exception):
    """A recording is asked for as it stood after an event that it does not have."""

    def __init__(self) -> None:
        super().__init__("The recording has no event of this version.")


class Queries:
    """All methods may raise LogUnavailable, DatabaseUnavailable; those that read blobs, StorageUnavailable."""

    def __init__(
        self,
        recordings: Recordings,
        *,
        log: EventLog,
        summaries: SummaryStore,
        projection: Projection,
        blobs: BlobStore,
    ) -> None:
        self._recordings = recordings
        self._log = log
        self._summaries = summaries
        self._projection = projection
        self._blobs = blobs

    async def recording(self, recording_id: UUID) -> Recording:
        """The recording itself, with all its chunks. Raises: RecordingNotFound."""
        return await self._recordings.find(recording_id)

    async def newest(self, recording_id: UUID) -> Recording:
        """The same, with all that any process has committed before this call. Raises: RecordingNotFound."""
        return await self._recordings.newest(recording_id)

    async def summary(self, recording_id: UUID) -> RecordingSummary:
        """The recording's row in the view. Raises: RecordingNotFound; ViewBehind."""
        await self._catch_up()
        summary = await looked_up(self._summaries, self._summaries.find, recording_id)
        if summary is None or summary.standing is Standing.DELETED:
            raise RecordingNotFound
        return summary

    async def summaries(self, recording_ids: Iterable[UUID]) -> dict[UUID, RecordingSummary]:
        """The rows of those of the recordings that there are. Raises: ViewBehind."""
        await self._catch_up()
        found = await looked_up(self._summaries, self._found, recording_ids)
        return {
            recording_id: summary
            for recording_id, summary in found.items()
            if summary is not None and summary.standing is not Standing.DELETED
        }

    def _found(self, recording_ids: Iterable[UUID]) -> dict[UUID, RecordingSummary | None]:
        return {recording_id: self._summaries.find(recording_id) for recording_id in recording_ids}

    async def deleted(self, recording_ids: Collection[UUID]) -> set[UUID]:
        """Those of the recordings that any process had deleted before this call. Raises: ViewBehind."""
        await self._catch_up()
        return await looked_up(self._summaries, self._summaries.deleted, recording_ids)

    async def page(self, query: PageQuery) -> Page:
        """Raises: ViewBehind."""
        await self._catch_up()
        return await looked_up(self._summaries, self._summaries.page, query)

    async def _catch_up(self) -> None:
        try:
            await self._projection.wait_for(await self._log.newest_head(), seconds=VIEW_SECONDS)
        except TimeoutError:
            raise ViewBehind from None

    async def history(self, recording_id: UUID, *, after_version: int, limit: int) -> Sequence[RecordedEvent]:
        """At most `limit` of a recording's events after `after_version`, in order."""
        return await self._log.history(recording_id, after_version=after_version, limit=limit)

    async def summary_at(self, recording_id: UUID, version: int) -> RecordingSummary:
        """The recording's row as it was after its event of this version. Raises: NoSuchEvent."""
        summary, seen = None, 0
        while summary is None or seen < version:
            limit = min(EVENTS_AT_ONCE, version - seen)
            events = await self._log.history(recording_id, after_version=seen, limit=limit)
            if not events:
                raise NoSuchEvent
            summary = await asyncio.to_thread(_evolved, summary, events)
            seen = events[-1].version
        return summary

    async def transcript(self, transcribed: Transcribed) -> Transcript:
        """Raises: RecordingNotFound if it was erased meanwhile."""
        try:
            return await transcript_of(self._blobs, transcribed.blob_key)
        except BlobNotFound:
            raise RecordingNotFound from None

    async def heard_part(self, part: PartHeard) -> HeardPart:
        """Raises: RecordingNotFound if it was erased meanwhile."""
        try:
            return HeardPart.from_json(await content_of(self._blobs, part.blob_key))
        except BlobNotFound:
            raise RecordingNotFound from None

    async def details(self, summary: RecordingSummary) -> bytes | None:
        """The caller's free text about the recording, if any is kept."""
        with suppress(BlobNotFound):  # erased since the row was read
            return await content_of(self._blobs, summary.details_key) if summary.details_key else None
        return None

    async def media_type(self, file: ChunkStored) -> str:
        """What the stored file is, by its first bytes; `UNKNOWN` also if it was erased meanwhile."""
        if file.blob_key is None:
            return UNKNOWN
        beginning = self._blobs.read(file.blob_key, start=0, length=min(file.size_bytes, BEGINNING_BYTES))
        with suppress(BlobNotFound):
            return media_type_of(b"".join([block async for block in beginning]), file.size_bytes)
        return UNKNOWN

    async def check_log(self) -> None:
        """Read from the log, to prove that it can be read now. Raises: LogUnavailable."""
        await self._log.refresh_head()

    async def direct_url(self, blob_key: str, lasting: timedelta) -> str | None:
        """Where the whole blob can be read without this service, if anywhere."""
        return await self._blobs.direct_url(blob_key, lasting)

    def read(self, blob_key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """A blob's bytes, streamed as they are read. Raises when iterated: BlobNotFound."""
        return self._blobs.read(blob_key, start=start, length=length)


def _evolved(summary: RecordingSummary | None, events: Sequence[RecordedEvent]) -> RecordingSummary:
    for recorded in events:
        summary = evolve_summary(summary, cast("RecordingEvent", recorded.event))
    if summary is None:
        raise ValueError("no events come to nothing")
    return summary
