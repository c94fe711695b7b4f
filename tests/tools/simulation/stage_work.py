"""A stand-in for worker processes, speech engine and note writer: quick, and as unreliable as the seed says."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from adapters.audio.errors import NotAudio
from adapters.blobs.port import BlobStore, StoredBlob
from adapters.notes.note import Note, Section, Sentence
from adapters.speech.port import EngineRefused, EngineUnavailable
from adapters.worker_processes import WorkerDied
from domain.commands import EndStage, RecordNote, RecordStitched, RecordTranscribed
from domain.events import Damage
from domain.recording import Recording
from service.application.blob_names import made_prefix
from service.application.clock import Clock
from service.application.project_turns import Urgency
from service.application.stage_parts import Effort, Permit
from service.application.stored_content import stored
from service.application.turns import Turns
from tests.tools.simulation import faults as fault
from tests.tools.simulation.at_work import AtWork
from tests.tools.simulation.faults import Faults
from tests.tools.simulation.memory_claims import MemoryClaims

DEFAULT_LANGUAGE = "en"


def said_in(language: str, audio: bytes) -> bytes:
    """The transcript of the audio in the language."""
    return b"said in %s: %s" % (language.encode(), audio)


def noted(transcript: bytes) -> bytes:
    """The note of the transcript."""
    sentence = Sentence(text=transcript.decode(), source=None)
    return Note(sections={Section.SUBJECTIVE: (sentence,)}, engine="simulated", language="en").to_json()


class SimulatedStage:
    """A stage's `Work` by one of the methods of `SimulatedWork`, which is to be claimed."""

    def __init__(
        self, do: Callable[[UUID, Recording], Awaitable[EndStage]], turns: Turns, at_work: AtWork, claims: MemoryClaims
    ) -> None:
        self._do = do
        self._turns = turns
        self._at_work = at_work
        self._claims = claims

    def effort(self, _: Recording) -> Effort:
        return Effort(self._turns, Urgency.SHORT, timedelta(minutes=10))

    async def do(self, recording_id: UUID, recording: Recording, permit: Permit) -> EndStage:
        job = f"{self._do.__name__} {recording_id.hex[:6]}"
        with self._at_work.on(job, self._claims):
            async with asyncio.timeout(permit.within.total_seconds()):
                return await self._do(recording_id, recording)


class SimulatedWork:
    """Each method does the work of a stage. Its result is made from the bytes it gets, so that it can be checked."""

    def __init__(self, blobs: BlobStore, *, faults: Faults, clock: Clock) -> None:
        self._blobs = blobs
        self._faults = faults
        self._clock = clock

    async def stitch(self, recording_id: UUID, recording: Recording) -> RecordStitched:
        await self._worker(lambda: NotAudio(1, "is not audio"))
        damage = [
            Damage(chunk_number=chunk.number, reason="damaged", message="It is damaged.")
            for chunk in recording.chunks_to_stitch()
            if self._faults.happens(fault.CHUNK_DAMAGED)
        ]
        left_out = {found.chunk_number for found in damage}
        keys = [chunk.blob_key for chunk in recording.chunks_to_stitch() if chunk.number not in left_out]
        audio = b"".join([await self._read(key) for key in keys if key is not None])
        blob = await self._put(recording_id, recording, "audio", audio)
        return RecordStitched(
            at=self._clock(),
            blob_key=blob.key,
            size_bytes=blob.size_bytes,
            sha256=blob.sha256,
            content_type="audio/ogg",
            codec="opus",
            method="simulated",
            duration_ms=len(audio),
            chunk_count=len(recording.chunks),
            chunks_md5=hashlib.md5(audio).hexdigest(),
            damage=tuple(damage),
        )

    async def transcribe(self, recording_id: UUID, recording: Recording) -> RecordTranscribed:
        await self._worker(lambda: EngineRefused("simulated", "it does not want to"))
        assert recording.stitched is not None
        audio = await self._read(recording.stitched.blob_key)
        language = recording.language_wanted or DEFAULT_LANGUAGE
        blob = await self._put(recording_id, recording, "transcript", said_in(language, audio))
        return RecordTranscribed(
            at=self._clock(),
            blob_key=blob.key,
            size_bytes=blob.size_bytes,
            sha256=blob.sha256,
            language=language,
            engine="simulated",
            provider=None,
            word_count=1,
            segment_count=1,
            confidence=1.0,
            duration_ms=recording.stitched.duration_ms,
        )

    async def write_note(self, recording_id: UUID, recording: Recording) -> RecordNote:
        await self._worker(lambda: EngineRefused("simulated", "it does not want to"))
        assert recording.transcribed is not None
        transcript = await self._read(recording.transcribed.blob_key)
        blob = await self._put(recording_id, recording, "note", noted(transcript))
        return RecordNote(
            at=self._clock(),
            blob_key=blob.key,
            size_bytes=blob.size_bytes,
            sha256=blob.sha256,
            language="en",
            engine="simulated",
        )

    async def _worker(self, refusal: Callable[[], Exception]) -> None:
        """Some time in a worker process, which may fail."""
        await asyncio.sleep(self._faults.random.random() ** 3)
        if self._faults.happens(fault.ENGINE_REFUSED):
            raise refusal()
        if self._faults.happens(fault.ENGINE_BROKE):
            raise self._breakage()

    def _breakage(self) -> Exception:
        return self._faults.random.choice(
            (EngineUnavailable("simulated", "it is away"), WorkerDied(), OSError("broken pipe"))
        )

    async def _read(self, key: str) -> bytes:
        return b"".join([block async for block in self._blobs.read(key)])

    async def _put(self, recording_id: UUID, recording: Recording, kind: str, body: bytes) -> StoredBlob:
        return await stored(self._blobs, made_prefix(recording_id, kind, recording.edition), body)
