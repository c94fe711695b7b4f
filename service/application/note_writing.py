"""The note stage. It fails only if nothing can be stored."""

import asyncio
from uuid import UUID

from adapters.notes.extractive import ExtractiveNoteWriter
from domain.commands import RecordNote
from domain.recording import Recording
from service.application.blob_names import made_prefix
from service.application.note_attempts import written
from service.application.stage_parts import Effort, Permit, StageParts, TookTooLong
from service.application.stored_content import stored, transcript_of
from service.application.turns import note_urgency


class NoteWriting:
    """The stage's `Work`."""

    def __init__(self, parts: StageParts) -> None:
        self._parts = parts
        self._last_resort = ExtractiveNoteWriter()

    def effort(self, _: Recording) -> Effort:
        """How long a language model may take is the same for every note."""
        limit = self._parts.note_limit
        return Effort(self._parts.note_turns, note_urgency(limit), limit)

    async def do(self, recording_id: UUID, recording: Recording, permit: Permit) -> RecordNote:
        """Raises: TookTooLong; BlobNotFound; StorageFull, StorageUnavailable."""
        patience = asyncio.timeout(permit.within.total_seconds())
        try:
            async with patience:
                return await self._written(recording_id, recording)
        except TimeoutError:
            if not patience.expired():
                raise
            raise TookTooLong(permit.within) from None

    async def _written(self, recording_id: UUID, recording: Recording) -> RecordNote:
        parts, transcribed = self._parts, recording.transcribed
        if transcribed is None:
            raise ValueError("only a transcribed recording can have a note written")
        transcript = await transcript_of(parts.blobs, transcribed.blob_key)
        note, fallback_reason = await written(
            lambda: parts.note_writer.write(transcript),
            lambda: self._last_resort.write(transcript),
            policy=parts.note_policy,
            random=parts.random,
            about={"recording_id": recording_id.hex},
        )
        prefix = made_prefix(recording_id, "note", recording.edition)
        blob = await stored(parts.blobs, prefix, note.to_json())
        return RecordNote(
            at=parts.clock(),
            blob_key=blob.key,
            size_bytes=blob.size_bytes,
            sha256=blob.sha256,
            language=note.language,
            engine=note.engine,
            fallback_reason=fallback_reason,
            unsupported_share=note.unsupported_share,
        )
