"""Consultations that come as chunks of bare samples: stored in order, each recognized at once, a note at the end.

A chunk's request does everything in order: it waits its turn, stores the bytes, appends the event, gets the words. What
is done stays done if the request fails, and the same request again continues from there.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from adapters.blobs.port import BlobNotFound, BlobStore
from adapters.notes.note import Note
from adapters.speech.transcript import Transcript
from domain.commands import RecordChunkTranscribed, RetryRecording
from domain.errors import NotFailed, RecordingNotFound
from domain.events import ChunkStored, ErasedPart, NoteEdited
from domain.recording import Phase, Recording
from service.application.blob_names import blob_prefix
from service.application.clock import Clock
from service.application.live_recognition import LiveRecognition
from service.application.recordings import Recordings
from service.application.stored_content import content_of, transcript_of
from service.application.trace import trace_id
from service.application.uploads import Announcement, ArrivedChunk, Uploads

logger = logging.getLogger(__name__)


class Waker(Protocol):
    """Lets a request wait for its recording."""

    async def until(self, recording_id: UUID, reached: Callable[[Recording], bool]) -> Recording:
        """The recording, as soon as `reached` is true of it. Raises: RecordingNotFound; LogUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class ChunkWords:
    """The words recognized in one chunk alone."""

    transcript: Transcript


@dataclass(frozen=True, slots=True)
class Consultation:
    """The result of a whole consultation, with the note as it is now. `edited`: its last edit by a person, if any."""

    recording_id: UUID
    transcript: Transcript
    note: Note
    edited: NoteEdited | None


@dataclass(frozen=True, slots=True)
class ConsultationState:
    """How far a consultation has come. `text`: all words known so far, in order."""

    recording_id: UUID
    recording: Recording
    text: str


class NotReadyInTime(Exception):
    """The answer takes longer than clients wait. The work continues; the same request again gets the answer."""

    def __init__(self) -> None:
        super().__init__("The chunk is stored, but its words are not ready yet; send it again to get them.")


class ProcessingFailed(Exception):
    """A stage was given up. The chunks are kept, and the same request again resumes it."""

    def __init__(self) -> None:
        super().__init__("The consultation could not be processed; all its chunks are stored. Send the chunk again.")


class Consultations:
    """All consultations. `answer_within`: how long a request waits for its answer, including its time in the queue."""

    def __init__(
        self,
        recordings: Recordings,
        uploads: Uploads,
        blobs: BlobStore,
        recognition: LiveRecognition,
        waker: Waker,
        *,
        answer_within: timedelta,
        clock: Clock,
    ) -> None:
        self._recordings = recordings
        self._uploads = uploads
        self._blobs = blobs
        self._recognition = recognition
        self._waker = waker
        self._clock = clock
        self._answer_within = answer_within
        self._turns: defaultdict[UUID, _Turn] = defaultdict(_Turn)
        self._recognizing: dict[tuple[UUID, int], asyncio.Task[Transcript]] = {}

    def check_language(self, language: str) -> None:
        """Raises: UnsupportedLanguage, which lists the engine's languages."""
        self._recognition.check_language(language)

    async def take(self, announced: Announcement, chunk: ArrivedChunk, *, language: str) -> ChunkWords | Consultation:
        """Accept the next chunk, or one that came before. Returns its words or, after the last chunk, the whole result.

        Raises: TooMuchWaiting, with nothing stored; NotReadyInTime; ProcessingFailed; a RecordingError;
        what storing and recognizing raise.
        """
        patience = asyncio.timeout(self._answer_within.total_seconds())
        try:
            async with patience, self._turn(announced.recording_id):
                with self._recognition.place(announced.tenant_id):
                    return await self._take(announced, chunk, language)
        except TimeoutError:
            if not patience.expired():
                raise
            raise NotReadyInTime from None

    @asynccontextmanager
    async def _turn(self, recording_id: UUID) -> AsyncIterator[None]:
        """Let in one request of a consultation at a time, in the order of arrival."""
        turn = self._turns[recording_id]
        turn.wanted += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[recording_id]

    async def _take(self, announced: Announcement, chunk: ArrivedChunk, language: str) -> ChunkWords | Consultation:
        recording_id = announced.recording_id
        appended = await self._uploads.append(announced, chunk)
        recording, stored = appended.recording, appended.chunk
        if recording.finalized is not None and stored.number == recording.chunks.highest:
            return await self._whole(recording_id, recording)
        return ChunkWords(await self._words(recording_id, recording, stored, language))

    async def _words(self, recording_id: UUID, recording: Recording, chunk: ChunkStored, language: str) -> Transcript:
        """The words of the chunk alone: from the log if recorded there, else from the recognition under way, else
        recognized now."""
        words = recording.words_of(chunk)
        if words is not None:
            return await transcript_of(self._blobs, words.blob_key)
        name = (recording_id, chunk.number)
        recognizing = self._recognizing.get(name)
        if recognizing is None:
            recognizing = self._recognizing[name] = asyncio.create_task(
                self._recognize(recording_id, chunk, language, project=recording.opened.tenant_id)
            )
            recognizing.add_done_callback(lambda ended: self._recognized(name, ended))
        try:
            return await asyncio.shield(recognizing)  # continues after this request has stopped waiting
        finally:
            del recognizing  # its error would hold this frame, and its callers' with the chunk's bytes

    def _recognized(self, name: tuple[UUID, int], ended: asyncio.Task[Transcript]) -> None:
        del self._recognizing[name]
        if not ended.cancelled() and (error := ended.exception()) is not None:
            logger.info("chunk not recognized", extra={"recording_id": name[0].hex, "because": str(error)})

    async def _recognize(self, recording_id: UUID, chunk: ChunkStored, language: str, *, project: str) -> Transcript:
        if chunk.blob_key is None:
            raise AssertionError("a chunk of a consultation has its bytes")
        prefix = blob_prefix(recording_id, f"words-{chunk.number}")
        blob, transcript = await self._recognition.transcribe_chunk(
            chunk.blob_key, project=project, language=language, prefix=prefix
        )
        command = RecordChunkTranscribed(
            at=self._clock(),
            number=chunk.number,
            chunk_sha256=chunk.sha256,
            blob_key=blob.key,
            size_bytes=blob.size_bytes,
            sha256=blob.sha256,
            language=transcript.language,
            engine=transcript.engine,
            word_count=transcript.word_count,
            duration_ms=transcript.duration_ms,
        )
        try:
            recording = (await self._recordings.execute(recording_id, command, trace_id=trace_id.get())).state
        except RecordingNotFound:  # deleted meanwhile; what has been stored since must be erased, too
            await self._blobs.delete(blob.key)
            raise
        if recording.erased is ErasedPart.EVERYTHING:  # likewise, of a session that expired
            await self._blobs.delete(blob.key)
        return transcript

    async def _whole(self, recording_id: UUID, recording: Recording) -> Consultation:
        if recording.phase is Phase.FAILED:
            with suppress(NotFailed):
                command = RetryRecording(at=self._clock())
                await self._recordings.execute(recording_id, command, trace_id=trace_id.get())
        ended = await self._as_edited(recording_id, await self._waker.until(recording_id, _has_ended))
        if ended.transcribed is None or ended.note_now is None:
            raise ProcessingFailed
        return Consultation(
            recording_id,
            await transcript_of(self._blobs, ended.transcribed.blob_key),
            Note.from_json(await content_of(self._blobs, ended.note_now.blob_key)),
            ended.last_edit,
        )

    async def _as_edited(self, recording_id: UUID, ended: Recording) -> Recording:
        """With what other processes have recorded since, unless the note is being made anew."""
        newest = await self._recordings.newest(recording_id)
        return newest if newest.note is not None else ended

    async def state(self, recording_id: UUID) -> ConsultationState:
        """How far a consultation has come. Raises: RecordingNotFound; LogUnavailable; StorageUnavailable."""
        recording = await self._recordings.find(recording_id)
        if recording.transcribed is not None:
            keys = [recording.transcribed.blob_key]
        else:
            words = (recording.words_of(chunk) for chunk in recording.chunks.in_order())
            keys = [known.blob_key for known in words if known is not None]
        try:
            transcripts = [await transcript_of(self._blobs, key) for key in keys]
        except BlobNotFound:  # erased meanwhile
            raise RecordingNotFound from None
        text = " ".join(one.text for one in transcripts if one.text)
        return ConsultationState(recording_id, recording, text)

    async def close(self) -> None:
        """Stop recognizing. What was not recorded is recognized when it is asked for again."""
        for recognizing in list(self._recognizing.values()):
            recognizing.cancel()
        await asyncio.gather(*self._recognizing.values(), return_exceptions=True)


@dataclass(slots=True)
class _Turn:
    """Whose turn it is in one consultation, and how many requests want one."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: int = 0


def _has_ended(recording: Recording) -> bool:
    """Whether there is a final answer. Stages after the note keep nobody waiting."""
    return recording.note is not None or recording.failed is not None
