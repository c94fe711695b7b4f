"""Consultations that come as chunks of bare samples: stored one after another, heard at once, and noted at the end.

A chunk's request does everything in order: a place in the queue, the bytes, the event, the words. What was done stays
done when the request comes to nothing, and the same request again goes on from there.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from adapters.audio.pcm import PCM_CODEC
from adapters.blobs.port import BlobNotFound, BlobStore, StoredBlob
from adapters.notes.note import Note
from adapters.speech.transcript import Transcript
from domain.commands import AppendChunk, OpenRecording, RecordChunkTranscribed, RetryRecording
from domain.decisions import chunk_asked_for
from domain.errors import NotFailed, RecordingError, RecordingNotFound
from domain.events import ChunkStored, FinalizePolicy
from domain.identity import recording_id
from domain.life import decide
from domain.recording import Phase, Recording
from service.application.clock import Clock
from service.application.live_recognition import LiveRecognition
from service.application.metrics import Metrics
from service.application.processing import blob_prefix
from service.application.recordings import Recordings
from service.application.trace import trace_id
from service.followers.waker import Waker

logger = logging.getLogger(__name__)

DIALECT = "dorsum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Whose consultation, and what they call it. `language`: what is spoken in it."""

    tenant_id: str
    external_id: str
    language: str

    @property
    def id(self) -> UUID:
        return recording_id(DIALECT, self.tenant_id, self.external_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedChunk:
    """Samples as 16-bit little-endian PCM, with their digest, and what their request is known by."""

    samples: bytes
    sha256: str
    request_sha256: str
    request_is_named: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class ChunkWords:
    """What was heard of one chunk alone."""

    transcript: Transcript


@dataclass(frozen=True, slots=True)
class Consultation:
    """What became of a whole consultation."""

    recording_id: UUID
    transcript: Transcript
    note: Note


@dataclass(frozen=True, slots=True)
class SessionState:
    """How far a session has come. `text`: all words that are known so far, in order."""

    recording_id: UUID
    recording: Recording
    text: str


class NotReadyInTime(Exception):
    """The answer takes longer than clients wait; the work goes on, and the same request again gets it."""

    def __init__(self) -> None:
        super().__init__("The chunk is stored, and its words are not ready yet; send it again for the answer.")


class ProcessingFailed(Exception):
    """A stage was given up. The chunks are kept; the same request again takes it up again."""

    def __init__(self) -> None:
        super().__init__("The consultation could not be processed; all its chunks are stored. Send the chunk again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """`answer_within`: how long a request waits for its answer, its own queueing included."""

    max_chunks: int
    upload_window: timedelta
    answer_within: timedelta


class Consultations:
    """All sessions."""

    def __init__(
        self,
        recordings: Recordings,
        blobs: BlobStore,
        recognition: LiveRecognition,
        waker: Waker,
        *,
        limits: SessionLimits,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._recordings = recordings
        self._blobs = blobs
        self._recognition = recognition
        self._waker = waker
        self._clock = clock
        self._metrics = metrics
        self._limits = limits
        self._turns: defaultdict[UUID, _Turn] = defaultdict(_Turn)
        self._hearing: dict[tuple[UUID, int], asyncio.Task[Transcript]] = {}

    def check_language(self, language: str) -> None:
        """Raises: UnsupportedLanguage, which says what the engine has."""
        self._recognition.check_language(language)

    async def take(self, session: Session, chunk: ArrivedChunk) -> ChunkWords | Consultation:
        """Take the session's next chunk, or one that came before: its words, or after the last one everything.

        Raises: TooMuchWaiting, and then nothing is stored; NotReadyInTime; ProcessingFailed; a RecordingError;
        what storing and recognizing raise.
        """
        patience = asyncio.timeout(self._limits.answer_within.total_seconds())
        try:
            async with patience, self._turn(session.id):
                with self._recognition.place():
                    return await self._take(session, chunk)
        except TimeoutError:
            if not patience.expired():
                raise
            raise NotReadyInTime from None

    @asynccontextmanager
    async def _turn(self, session_id: UUID) -> AsyncIterator[None]:
        """One request of a session at a time, in the order in which they came."""
        turn = self._turns[session_id]
        turn.wanted += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[session_id]

    async def _take(self, session: Session, chunk: ArrivedChunk) -> ChunkWords | Consultation:
        recording, blob = await self._opened(session, chunk)
        recording, stored = await self._stored(session.id, recording, chunk, blob)
        if recording.finalized is not None and stored.number == recording.chunks.highest:
            return await self._whole(session.id, recording)
        return ChunkWords(await self._words(session.id, recording, stored, session.language))

    async def _opened(self, session: Session, chunk: ArrivedChunk) -> tuple[Recording, StoredBlob | None]:
        """The session's recording. Its first chunk opens it, and is put while that is being committed."""
        try:
            return await self._recordings.find(session.id), None
        except RecordingNotFound:
            opening = asyncio.create_task(self._open(session))
            blob = await self._put(session.id, chunk)
            try:
                return await opening, blob
            except RecordingError:
                await self._erase_orphan(session.id, blob.key)
                raise

    async def _open(self, session: Session) -> Recording:
        now = self._clock()
        command = OpenRecording(
            at=now,
            dialect=DIALECT,
            tenant_id=session.tenant_id,
            external_id=session.external_id,
            finalize_policy=FinalizePolicy.RECONCILE,
            max_chunks=self._limits.max_chunks,
            expires_at=(now + self._limits.upload_window).replace(microsecond=0),
            codec=PCM_CODEC,
            note_wanted=True,
            language=session.language,
        )
        return (await self._recordings.execute(session.id, command, trace_id=trace_id.get())).recording

    async def _put(self, its_id: UUID, chunk: ArrivedChunk) -> StoredBlob:
        return await self._blobs.put(blob_prefix(its_id, "chunk"), _at_once(chunk.samples))

    async def _stored(
        self, its_id: UUID, recording: Recording, chunk: ArrivedChunk, blob: StoredBlob | None
    ) -> tuple[Recording, ChunkStored]:
        """The chunk as it is stored, now or before. `blob`: its bytes, if they have been put already."""
        prefix = blob_prefix(its_id, "chunk")
        command = AppendChunk(
            at=self._clock(),
            blob_key=prefix + chunk.sha256,
            size_bytes=len(chunk.samples),
            sha256=chunk.sha256,
            md5=_NOT_TAKEN,
            request_sha256=chunk.request_sha256,
            is_named=chunk.request_is_named,
            is_last=chunk.is_last,
        )
        if any(type(event) is ChunkStored for event in decide(recording, command)):
            blob = blob or await self._put(its_id, chunk)
            command = replace(command, md5=blob.md5)
        try:
            outcome = await self._recordings.execute(its_id, command, trace_id=trace_id.get())
        except RecordingError:
            await self._erase_orphan(its_id, command.blob_key)
            raise
        stored = chunk_asked_for(outcome.recording, command)
        if stored is None:
            raise AssertionError("a chunk that was taken is there")
        if any(type(event) is ChunkStored for event in outcome.events):
            self._metrics.chunk_bytes.labels(DIALECT).inc(stored.size_bytes)
        return outcome.recording, stored

    async def _erase_orphan(self, its_id: UUID, blob_key: str) -> None:
        """Bytes that no chunk holds. Equal chunks share theirs."""
        with suppress(RecordingNotFound):
            chunks = (await self._recordings.find(its_id)).chunks
            if any(chunk.blob_key == blob_key for chunk in chunks.values()):
                return
        await self._blobs.delete(blob_key)

    async def _words(self, its_id: UUID, recording: Recording, chunk: ChunkStored, language: str) -> Transcript:
        """What was heard of the chunk alone: what is recorded, or what is being heard, or it is listened to now."""
        words = recording.words_of(chunk)
        if words is not None:
            return await self._transcript(words.blob_key)
        name = (its_id, chunk.number)
        hearing = self._hearing.get(name)
        if hearing is None:
            hearing = self._hearing[name] = asyncio.create_task(self._hear(its_id, chunk, language))
            hearing.add_done_callback(lambda ended: self._heard(name, ended))
        return await asyncio.shield(hearing)  # goes on when this request has waited long enough

    def _heard(self, name: tuple[UUID, int], ended: asyncio.Task[Transcript]) -> None:
        del self._hearing[name]
        if not ended.cancelled() and (error := ended.exception()) is not None:
            logger.info("chunk not heard", extra={"recording_id": name[0].hex, "because": str(error)})

    async def _hear(self, its_id: UUID, chunk: ChunkStored, language: str) -> Transcript:
        if chunk.blob_key is None:
            raise AssertionError("a chunk of a session has its bytes")
        prefix = blob_prefix(its_id, f"words-{chunk.number}")
        blob, transcript = await self._recognition.transcribe_chunk(chunk.blob_key, language=language, prefix=prefix)
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
            await self._recordings.execute(its_id, command, trace_id=trace_id.get())
        except RecordingNotFound:  # deleted meanwhile; what was stored since must go, too
            await self._blobs.delete(blob.key)
            raise
        return transcript

    async def _whole(self, its_id: UUID, recording: Recording) -> Consultation:
        if recording.phase is Phase.FAILED:
            with suppress(NotFailed):
                await self._recordings.execute(its_id, RetryRecording(at=self._clock()), trace_id=trace_id.get())
        ended = await self._waker.until(its_id, _has_ended)
        if ended.transcribed is None or ended.note is None:
            raise ProcessingFailed
        return Consultation(
            its_id,
            await self._transcript(ended.transcribed.blob_key),
            Note.from_json(await self._content(ended.note.blob_key)),
        )

    async def state(self, tenant_id: str, external_id: str) -> SessionState:
        """How far a session has come. Raises: RecordingNotFound; LogUnavailable; StorageUnavailable."""
        its_id = recording_id(DIALECT, tenant_id, external_id)
        recording = await self._recordings.find(its_id)
        if recording.transcribed is not None:
            keys = [recording.transcribed.blob_key]
        else:
            words = (recording.words_of(chunk) for chunk in recording.chunks.in_order())
            keys = [heard.blob_key for heard in words if heard is not None]
        try:
            transcripts = [await self._transcript(key) for key in keys]
        except BlobNotFound:  # erased since
            raise RecordingNotFound from None
        return SessionState(its_id, recording, " ".join(one.text for one in transcripts if one.text))

    async def _transcript(self, blob_key: str) -> Transcript:
        return await asyncio.to_thread(Transcript.from_json, await self._content(blob_key))

    async def _content(self, blob_key: str) -> bytes:
        return b"".join([block async for block in self._blobs.read(blob_key)])

    async def close(self) -> None:
        """Stop listening: what was not recorded is heard again when it is asked for."""
        for hearing in list(self._hearing.values()):
            hearing.cancel()
        await asyncio.gather(*self._hearing.values(), return_exceptions=True)


@dataclass(slots=True)
class _Turn:
    """Whose turn it is in one session, and how many want one."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: int = 0


_NOT_TAKEN = "0" * 32
"""In place of an MD5: it is taken while bytes are stored, and no decision depends on it."""


async def _at_once(samples: bytes) -> AsyncIterator[bytes]:
    yield samples


def _has_ended(recording: Recording) -> bool:
    return recording.phase in (Phase.COMPLETED, Phase.FAILED)
