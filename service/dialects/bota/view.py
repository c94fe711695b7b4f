"""Bota's answers about recordings, made from what queries return."""

import asyncio
from functools import partial
from uuid import UUID

from adapters.keys import Key
from adapters.speech.transcript import Transcript
from adapters.summary_pages import Page, PageQuery
from domain.events import Transcribed
from domain.recording import Recording
from domain.summary import RecordingSummary
from service.application.queries import Queries
from service.dialects.bota import access
from service.dialects.bota.answers import RecordingAnswer, TranscriptionAnswer
from service.dialects.bota.errors import NotReady, TranscriptionFailed
from service.dialects.bota.rendering import recording_answer, transcription_answer
from service.dialects.bota.strict_transcripts import strict

LARGE_DETAILS_BYTES = 4 * 1024
"""Of what a client said of its recording: what takes more than a fraction of a millisecond to read."""


class View:
    """What keys may see, and how it is answered."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def summary(self, key: Key, recording_id: UUID) -> RecordingSummary:
        """A recording's row, which `key` may see. Raises: RecordingNotFound; ViewBehind."""
        summary = await self._queries.summary(recording_id)
        access.check_owner(key, recording_id, tenant_id=summary.tenant_id, device_id=summary.device_id)
        return summary

    async def recording(self, key: Key, recording_id: UUID) -> Recording:
        """A recording with its chunks, which `key` may see. Raises: RecordingNotFound."""
        recording = await self._queries.recording(recording_id)
        opened = recording.opened
        access.check_owner(key, recording_id, tenant_id=opened.tenant_id, device_id=opened.device_id)
        return recording

    async def page(self, query: PageQuery) -> Page:
        """Raises: ViewBehind."""
        return await self._queries.page(query)

    async def recording_answer(self, recording_id: UUID, summary: RecordingSummary) -> RecordingAnswer:
        details, file_type = await asyncio.gather(self._queries.details(summary), self._file_type(summary))
        answer = partial(recording_answer, recording_id, summary, details, file_type=file_type)
        is_large = details is not None and len(details) > LARGE_DETAILS_BYTES
        return await asyncio.to_thread(answer) if is_large else answer()

    async def _file_type(self, summary: RecordingSummary) -> str | None:
        """What a whole file is, as long as nothing was made of it that says so."""
        if summary.file is None or summary.stitched is not None:
            return None
        return await self._queries.media_type(summary.file)

    async def transcription_answer(self, recording_id: UUID, summary: RecordingSummary) -> TranscriptionAnswer:
        """For a finalized recording."""
        transcript = await self._strict(summary.transcribed) if summary.transcribed else None
        return await asyncio.to_thread(transcription_answer, recording_id, summary, transcript)

    async def transcript(self, summary: RecordingSummary) -> Transcript:
        """For a completed transcription. Raises: NotReady, TranscriptionFailed; RecordingNotFound."""
        return await self._strict(self.transcribed(summary))

    def transcribed(self, summary: RecordingSummary) -> Transcribed:
        """Of a completed transcription. Raises: NotReady, TranscriptionFailed."""
        if summary.transcribed is not None:
            return summary.transcribed
        if summary.failed is not None:
            raise TranscriptionFailed(summary.failed)
        raise NotReady("The transcription is not completed yet; ask for it again when its status is completed.")

    async def _strict(self, transcribed: Transcribed) -> Transcript:
        return await asyncio.to_thread(strict, await self._queries.transcript(transcribed))
