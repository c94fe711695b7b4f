"""The note stage: the configured writer, tried a few times; if it fails, quotations only.

Any note is better than none, so this stage fails only if nothing can be stored. The event says which engine wrote the
note and, if that is not the configured one, why.
"""

import asyncio
import logging
from uuid import UUID

from adapters.notes.extractive import ExtractiveNoteWriter
from adapters.notes.note import Note, NoteNotWritten
from adapters.speech.transcript import Transcript
from domain.commands import RecordNote
from domain.recording import Recording
from service.application.blob_names import blob_prefix
from service.application.stage_parts import StageParts
from service.application.stored_content import transcript_of

logger = logging.getLogger(__name__)


class NoteWriting:
    """`work` is the stage's `Work`."""

    def __init__(self, parts: StageParts) -> None:
        self._parts = parts
        self._last_resort = ExtractiveNoteWriter()

    async def work(self, recording_id: UUID, recording: Recording) -> RecordNote:
        """Raises: BlobNotFound; StorageFull, StorageUnavailable."""
        parts, transcribed = self._parts, recording.transcribed
        if transcribed is None:
            raise ValueError("only a transcribed recording can have a note written")
        transcript = await transcript_of(parts.blobs, transcribed.blob_key)
        note, fallback_reason = await self._note(recording_id, transcript)
        blob = await asyncio.to_thread(parts.blobs.put_bytes, blob_prefix(recording_id, "note"), note.to_json())
        return RecordNote(
            at=parts.clock(),
            blob_key=blob.key,
            size_bytes=blob.size_bytes,
            sha256=blob.sha256,
            language=note.language,
            engine=note.engine,
            fallback_reason=fallback_reason,
        )

    async def _note(self, recording_id: UUID, transcript: Transcript) -> tuple[Note, str | None]:
        """The note and, if the configured writer did not write it, the reason."""
        delays = self._parts.note_policy.delays(self._parts.random)
        while True:
            try:
                return await self._parts.note_writer.write(transcript), None
            except NoteNotWritten as error:
                about = {"recording_id": recording_id.hex, "reason": error.reason, "because": str(error)}
                logger.warning("note not written", extra=about)
                delay = next(delays, None) if error.is_retryable else None
                if delay is None:
                    return await self._last_resort.write(transcript), error.reason
            await asyncio.sleep(delay.total_seconds())
