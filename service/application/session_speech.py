"""Speech recognition in worker processes for sessions of bare samples: one chunk alone, and the whole session."""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.audio.pcm import SAMPLE_BYTES, StitchedSamples
from adapters.blobs.port import BlobStore, StoredBlob
from adapters.speech.opening import EngineSpec, build_engine
from adapters.speech.sessions import TranscribedChunk, transcribe_samples, transcribe_session
from adapters.speech.transcript import Transcript
from service.application.worker_store import store_at


@dataclass(frozen=True, slots=True)
class ChunkOrder:
    blob_store_url: str
    chunk_key: str
    engine: EngineSpec
    language: str
    prefix: str


def transcribe_chunk(order: ChunkOrder) -> tuple[StoredBlob, Transcript]:
    """In a worker: make a transcript blob from one chunk's samples.

    Raises: EngineUnavailable, EngineRefused; StorageFull, StorageUnavailable, BlobNotFound.
    """
    store = store_at(order.blob_store_url)
    samples = _content(store, order.chunk_key)
    transcript = transcribe_samples(build_engine(order.engine), samples, language=order.language)
    return store.put_bytes(order.prefix, transcript.to_json()), transcript


@dataclass(frozen=True, slots=True)
class StoredWords:
    """A chunk's size, and the key of its own transcript, if there is one."""

    size_bytes: int
    transcript_key: str | None


@dataclass(frozen=True, slots=True)
class SessionOrder:
    blob_store_url: str
    audio_key: str
    chunks: Sequence[StoredWords]
    engine: EngineSpec
    language: str
    prefix: str


def transcribe_stitched_session(order: SessionOrder) -> tuple[StoredBlob, Transcript]:
    """In a worker: make the whole transcript's blob from the stitched samples and the chunks' own transcripts.

    Raises: as `transcribe_chunk`.
    """
    store = store_at(order.blob_store_url)
    chunks = [
        TranscribedChunk(
            samples=chunk.size_bytes // SAMPLE_BYTES,
            transcript=Transcript.from_json(_content(store, chunk.transcript_key)) if chunk.transcript_key else None,
        )
        for chunk in order.chunks
    ]
    with store.open(order.audio_key) as audio:
        stitched = StitchedSamples(audio)
        transcript = transcribe_session(build_engine(order.engine), stitched.between, chunks, language=order.language)
    return store.put_bytes(order.prefix, transcript.to_json()), transcript


def _content(store: BlobStore, key: str) -> bytes:
    with store.open(key) as reader:
        return reader.read()
