"""What every query of Bota's API starts from: the status view, once it has seen every write answered before."""

import asyncio
from contextlib import suppress
from uuid import UUID

from adapters.blobs.port import BlobNotFound
from adapters.keys import Key
from adapters.speech.transcript import Transcript
from adapters.summary_pages import Page, PageQuery
from domain.errors import RecordingNotFound
from domain.events import ChunkStored, Transcribed
from domain.summary import RecordingSummary, Standing
from service.dialects.bota import access
from service.dialects.bota.answers import RecordingAnswer, TranscriptionAnswer
from service.dialects.bota.errors import NotReady, TranscriptionFailed, ViewBehind
from service.dialects.bota.objects import is_whole_file, recording_object, transcription_object
from service.runtime.deck import Deck

VIEW_SECONDS = 5.0
"""How long a query waits for the view to have seen every write that was answered before it."""


class View:
    """Rows of the view, and Bota's objects made of them, over one deck."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck

    async def summary(self, key: Key, recording_id: UUID) -> RecordingSummary:
        """A row, which `key` may see. Raises: RecordingNotFound; ViewBehind."""
        await self._catch_up()
        summary = self._deck.summaries.find(recording_id)
        if summary is None or summary.standing is Standing.DELETED:
            raise RecordingNotFound
        access.check_owner(key, recording_id, tenant_id=summary.tenant_id, device_id=summary.device_id)
        return summary

    async def page(self, query: PageQuery) -> Page:
        """Raises: ViewBehind."""
        await self._catch_up()
        return self._deck.summaries.page(query)

    async def _catch_up(self) -> None:
        try:
            await self._deck.projector.wait_for(self._deck.log.head, seconds=VIEW_SECONDS)
        except TimeoutError:
            raise ViewBehind from None

    async def recording_object(self, recording_id: UUID, summary: RecordingSummary) -> RecordingAnswer:
        details, file = await asyncio.gather(self._details(summary), self._verified_file(recording_id, summary))
        return recording_object(recording_id, summary, details, file)

    async def transcription_object(self, recording_id: UUID, summary: RecordingSummary) -> TranscriptionAnswer:
        """Of a finalized recording."""
        transcript = await self._transcript(summary.transcribed) if summary.transcribed else None
        return transcription_object(recording_id, summary, transcript)

    async def transcript(self, summary: RecordingSummary) -> Transcript:
        """Of a recording whose transcription is completed. Raises: NotReady, TranscriptionFailed; RecordingNotFound."""
        if summary.transcribed is not None:
            return await self._transcript(summary.transcribed)
        if summary.failed is not None:
            raise TranscriptionFailed(summary.failed.message)
        raise NotReady("The transcription is not completed yet; ask for it again when its status is completed.")

    async def _transcript(self, transcribed: Transcribed) -> Transcript:
        try:
            return await asyncio.to_thread(Transcript.from_json, await self._blob(transcribed.blob_key))
        except BlobNotFound:  # erased since the row was read
            raise RecordingNotFound from None

    async def _details(self, summary: RecordingSummary) -> bytes | None:
        with suppress(BlobNotFound):  # erased since the row was read
            return await self._blob(summary.details_key) if summary.details_key else None
        return None

    async def _verified_file(self, recording_id: UUID, summary: RecordingSummary) -> ChunkStored | None:
        """A whole file's digest was verified when its upload was completed, before anything was stitched."""
        if not is_whole_file(summary.codec) or summary.finalized_at is None or summary.stitched is not None:
            return None
        with suppress(RecordingNotFound):  # deleted since the row was read
            return (await self._deck.recordings.find(recording_id)).chunks.get(1)
        return None

    async def _blob(self, key: str) -> bytes:
        return b"".join([block async for block in self._deck.blobs.read(key)])
