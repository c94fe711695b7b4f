"""The work of the stages: what a worker process does, and how a follower gets it done there.

An order and its result cross a process boundary, so they are plain values.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from adapters.audio.pcm import PCM_CODEC, stitch_pcm
from adapters.audio.stitching import StitchedAudio, stitch
from adapters.blobs.port import StoredBlob
from adapters.blobs.storage_errors import storage_errors
from adapters.speech.opening import EngineSpec, build_engine
from adapters.speech.transcript import Transcript
from adapters.worker_processes import WorkerProcesses
from domain.commands import RecordStitched, RecordTranscribed
from domain.recording import Recording
from service.application.clock import Clock
from service.application.session_speech import SessionOrder, StoredWords, transcribe_stitched_session
from service.application.worker_store import store_at

STITCHING_TIMEOUT = timedelta(hours=1)

TRANSCRIBING_TIMEOUT = timedelta(minutes=10)
"""To which three times the audio's duration is added: the embedded engine needs a tenth of it on a free core."""


def recording_prefix(recording_id: UUID) -> str:
    """What the keys of all blobs of a recording begin with, and of no other's."""
    return f"recordings/{recording_id.hex}/"


def blob_prefix(recording_id: UUID, kind: str) -> str:
    """What the keys of a recording's blobs of one kind begin with."""
    return f"{recording_prefix(recording_id)}{kind}-"


@dataclass(frozen=True, slots=True)
class StitchOrder:
    blob_store_url: str
    scratch_dir: Path
    chunk_keys: Sequence[str]
    checksum_md5: str | None
    prefix: str
    are_samples: bool = False


def stitch_blobs(order: StitchOrder) -> tuple[StoredBlob, StitchedAudio]:
    """In a worker: make one audio blob of chunk blobs. Raises: AudioError; StorageFull, StorageUnavailable; OSError."""
    store = store_at(order.blob_store_url)
    with storage_errors(), tempfile.TemporaryDirectory(dir=order.scratch_dir) as scratch:
        output = Path(scratch) / "audio"
        chunks = [partial(store.open, key) for key in order.chunk_keys]
        if order.are_samples:
            stitched = stitch_pcm(chunks, output)
        else:
            stitched = stitch(chunks, output, checksum_md5=order.checksum_md5)
        return store.put_file(order.prefix, output), stitched


@dataclass(frozen=True, slots=True)
class TranscribeOrder:
    blob_store_url: str
    audio_key: str
    engine: EngineSpec
    language: str
    prefix: str


def transcribe_blob(order: TranscribeOrder) -> tuple[StoredBlob, Transcript]:
    """In a worker: make a transcript blob of an audio blob.

    Raises: AudioError; EngineUnavailable; StorageFull, StorageUnavailable.
    """
    store = store_at(order.blob_store_url)
    transcript = build_engine(order.engine).transcribe(partial(store.open, order.audio_key), language=order.language)
    return store.put_bytes(order.prefix, transcript.to_json()), transcript


def has_bare_samples(recording: Recording) -> bool:
    return recording.opened.codec == PCM_CODEC


class StageWork:
    """What the stage followers have done in worker processes: each method is a `Work`.

    `live_workers` are for recordings whose caller waits for the end: they stand in no queue behind long recordings.
    """

    def __init__(
        self,
        workers: WorkerProcesses,
        *,
        live_workers: WorkerProcesses,
        blob_store_url: str,
        scratch_dir: Path,
        engine: EngineSpec,
        language: str,
        clock: Clock,
    ) -> None:
        self._workers = workers
        self._live_workers = live_workers
        self._blob_store_url = blob_store_url
        self._scratch_dir = scratch_dir
        self._engine = engine
        self._language = language
        self._clock = clock

    async def stitch(self, recording_id: UUID, recording: Recording) -> RecordStitched:
        chunks = recording.chunks_to_stitch()
        order = StitchOrder(
            blob_store_url=self._blob_store_url,
            scratch_dir=self._scratch_dir,
            chunk_keys=[chunk.blob_key for chunk in chunks if chunk.blob_key is not None],
            checksum_md5=recording.finalized.checksum_md5 if recording.finalized else None,
            prefix=blob_prefix(recording_id, "audio"),
            are_samples=has_bare_samples(recording),
        )
        blob, stitched = await self._workers_for(recording).run(stitch_blobs, order, timeout=STITCHING_TIMEOUT)
        return RecordStitched(
            at=self._clock(),
            blob_key=blob.key,
            size_bytes=blob.size_bytes,
            sha256=blob.sha256,
            content_type=stitched.content_type,
            codec=stitched.codec,
            method=stitched.method,
            duration_ms=stitched.duration_ms,
            chunk_count=len(recording.chunks),
            chunks_md5=stitched.chunks_md5,
        )

    async def transcribe(self, recording_id: UUID, recording: Recording) -> RecordTranscribed:
        stitched = recording.stitched
        if stitched is None:
            raise ValueError("only a stitched recording can be transcribed")
        timeout = TRANSCRIBING_TIMEOUT + 3 * timedelta(milliseconds=stitched.duration_ms)
        common: dict[str, Any] = {
            "blob_store_url": self._blob_store_url,
            "audio_key": stitched.blob_key,
            "engine": self._engine,
            "language": recording.opened.language or self._language,
            "prefix": blob_prefix(recording_id, "transcript"),
        }
        workers = self._workers_for(recording)
        if has_bare_samples(recording):
            session = SessionOrder(chunks=_words_stored(recording), **common)
            blob, transcript = await workers.run(transcribe_stitched_session, session, timeout=timeout)
        else:
            blob, transcript = await workers.run(transcribe_blob, TranscribeOrder(**common), timeout=timeout)
        return RecordTranscribed(
            at=self._clock(),
            blob_key=blob.key,
            size_bytes=blob.size_bytes,
            sha256=blob.sha256,
            language=transcript.language,
            engine=transcript.engine,
            provider=transcript.provider,
            word_count=transcript.word_count,
            segment_count=len(transcript.segments),
            confidence=transcript.confidence,
            duration_ms=transcript.duration_ms,
        )

    def _workers_for(self, recording: Recording) -> WorkerProcesses:
        return self._live_workers if has_bare_samples(recording) else self._workers


def _words_stored(recording: Recording) -> list[StoredWords]:
    """Each chunk that has bytes, in order, and where the words of it alone are."""
    chunks = [(chunk, recording.words_of(chunk)) for chunk in recording.chunks_to_stitch()]
    return [StoredWords(chunk.size_bytes, words.blob_key if words else None) for chunk, words in chunks]
