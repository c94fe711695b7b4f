"""What workers do to recognize a recording part by part: cut its sound, hear one part, join what was heard.

Orders and their results cross a process boundary, so they are plain values. Sound of parts is in files in between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from adapters.blobs.port import BlobNotFound, BlobStore, StoredBlob
from adapters.blobs.storage_errors import storage_errors
from adapters.speech.cutting import Span
from adapters.speech.opening import EngineSpec, build_engine
from adapters.speech.parts import HeardPart, digest_of, parts_of
from adapters.speech.port import HearsParts
from adapters.speech.transcript import Transcript, TranscriptWord
from adapters.speech.voices import voices_of
from service.application.worker_store import store_at


@dataclass(frozen=True, slots=True)
class CutOrder:
    """`known`: the keys of what was heard before, by the digest of the sound. `scratch_dir`: for the sound of parts."""

    blob_store_url: str
    audio_key: str
    engine: EngineSpec
    language: str
    scratch_dir: Path
    known: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CutPart:
    """Part `number`, from 1 on: what was heard in it under `heard_key`, or else its sound in the file `sound`."""

    number: int
    start_sample: int
    samples: int
    sha256: str
    sound: Path | None
    heard_key: str | None


def cut_into_parts(order: CutOrder) -> list[CutPart] | None:
    """In a worker: the parts of a recording's sound. None if its speakers have channels of their own: such a recording
    is heard as a whole.

    Raises: AudioError; SpeechError; StorageFull, StorageUnavailable; OSError.
    """
    store = store_at(order.blob_store_url)
    heard_by = engine_of(order.engine).heard_by(order.language)
    voices = voices_of(partial(store.open, order.audio_key)).voices
    if len(voices) > 1:
        return None
    spans = enumerate(parts_of(voices[0].blocks()), start=1)
    return [_cut_part(number, span, order, store, heard_by) for number, span in spans]


def _cut_part(number: int, span: Span, order: CutOrder, store: BlobStore, heard_by: str) -> CutPart:
    sha256 = digest_of(span)
    known = _known(store, order.known.get(sha256))
    is_same = known is not None and (known.start_sample, known.sha256, known.heard_by) == (
        span.start_sample,
        sha256,
        heard_by,
    )
    sound = None if is_same else write_sound(order.scratch_dir / f"part-{number}", span)
    heard_key = order.known[sha256] if is_same else None
    return CutPart(number, span.start_sample, len(span.samples), sha256, sound, heard_key)


def _known(store: BlobStore, key: str | None) -> HeardPart | None:
    """What is kept under the key; None if that is gone, or in another form than today's: then it is heard again."""
    if key is None:
        return None
    try:
        return _read(store, key)
    except (BlobNotFound, ValueError):
        return None


def _read(store: BlobStore, key: str) -> HeardPart:
    with store.open(key) as reader:
        return HeardPart.from_json(reader.read())


def write_sound(path: Path, span: Span) -> Path:
    """The part's samples in a file. Raises: StorageFull, StorageUnavailable."""
    with storage_errors():
        path.write_bytes(span.samples.astype("<i2", copy=False).tobytes())
    return path


@dataclass(frozen=True, slots=True)
class HearOrder:
    blob_store_url: str
    engine: EngineSpec
    language: str
    sound: Path
    start_sample: int
    prefix: str


@dataclass(frozen=True, slots=True)
class HeardBlob:
    """What was heard in a part is stored. `sound_sha256`: of its samples."""

    blob: StoredBlob
    start_ms: int
    duration_ms: int
    sound_sha256: str
    engine: str
    word_count: int


def hear_part(order: HearOrder) -> HeardBlob:
    """In a worker: hear one part, and store what was heard. Raises: SpeechError; StorageFull, StorageUnavailable."""
    with storage_errors():
        samples = np.frombuffer(order.sound.read_bytes(), "<i2")
    engine = engine_of(order.engine)
    heard = engine.hear(Span(order.start_sample, samples), language=order.language)
    return HeardBlob(
        blob=store_at(order.blob_store_url).put_bytes(order.prefix, heard.to_json()),
        start_ms=heard.start_ms,
        duration_ms=max(1, heard.end_ms - heard.start_ms),
        sound_sha256=heard.sha256,
        engine=engine.name,
        word_count=len(heard.words),
    )


@dataclass(frozen=True, slots=True)
class WindowOrder:
    """`window`: a few seconds of sound."""

    engine: EngineSpec
    language: str
    window: Span


def hear_window(order: WindowOrder) -> tuple[TranscriptWord, ...]:
    """In a worker: the words of a window, which nobody stores. Raises: SpeechError."""
    return engine_of(order.engine).hear_window(order.window, language=order.language)


@dataclass(frozen=True, slots=True)
class JoinOrder:
    """`heard_keys`: of all parts, in order."""

    blob_store_url: str
    engine: EngineSpec
    language: str
    heard_keys: Sequence[str]
    prefix: str


def join_parts(order: JoinOrder) -> tuple[StoredBlob, Transcript]:
    """In a worker: the transcript of all parts. Raises: SpeechError; StorageFull, StorageUnavailable; BlobNotFound."""
    store = store_at(order.blob_store_url)
    parts = [_read(store, key) for key in order.heard_keys]
    transcript = engine_of(order.engine).transcript_of(parts, language=order.language)
    return store.put_bytes(order.prefix, transcript.to_json()), transcript


def engine_of(spec: EngineSpec) -> HearsParts:
    """The engine, of a kind that hears parts one by one. Raises: EngineUnavailable."""
    engine = build_engine(spec)
    if not isinstance(engine, HearsParts):
        raise TypeError(f"{engine.name} hears recordings as a whole")
    return engine
