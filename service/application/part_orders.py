"""What workers do to recognize a recording part by part: cut its sound, hear one part, join what was heard.

Orders and their results cross a process boundary, so they are plain values. Sound of parts is in files in between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from adapters.audio.as_it_came import CameWhole, is_as_it_came
from adapters.audio.decoding import file_of
from adapters.blobs.port import BlobNotFound, BlobStore, StoredBlob
from adapters.blobs.storage_errors import storage_errors
from adapters.speech.cutting import Span
from adapters.speech.opening import EngineSpec, build_engine
from adapters.speech.parts import HeardPart, digest_of, parts_of
from adapters.speech.port import HearsParts
from adapters.speech.transcript import Transcript
from adapters.speech.voices import voices_of
from service.application.worker_store import store_at


@dataclass(frozen=True, slots=True)
class CutOrder:
    """`known`: the keys of what was heard before, by the digest of the sound. `scratch_dir`: for the sound of parts.

    `came` and `parts`: what the audio's bytes were found to be while they arrived, and all parts of its sound.
    """

    blob_store_url: str
    audio_key: str
    engine: EngineSpec
    language: str
    scratch_dir: Path
    known: Mapping[str, str]
    came: CameWhole | None = None
    parts: "Sequence[CutPart]" = ()


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
    as_they_came = _as_they_came(order, store, heard_by)
    if as_they_came is not None:
        return as_they_came
    voices = voices_of(partial(store.open, order.audio_key)).voices
    if len(voices) > 1:
        return None
    spans = enumerate(parts_of(voices[0].blocks()), start=1)
    return [_cut_part(number, span, order, store, heard_by) for number, span in spans]


def _as_they_came(order: CutOrder, store: BlobStore, heard_by: str) -> list[CutPart] | None:
    """The parts without decoding the audio again; None if it is not sure that they are the same, or a sound is gone."""
    came = order.came
    if came is None or came.channels != 1:
        return None
    if not is_as_it_came(file_of(partial(store.open, order.audio_key)), came):
        return None
    found = []
    for part in order.parts:
        heard_key = _heard_key(store, order, part.start_sample, part.sha256, heard_by)
        sound = None if heard_key is not None else _linked(part.sound, order.scratch_dir / f"part-{part.number}")
        if heard_key is None and sound is None:
            return None
        found.append(replace(part, sound=sound, heard_key=heard_key))
    return found


def _linked(sound: Path | None, own: Path) -> Path | None:
    """The file under another name, which stays when the first one goes; None if it has gone."""
    if sound is None:
        return None
    try:
        own.hardlink_to(sound)
    except FileNotFoundError:
        return None
    return own


def _cut_part(number: int, span: Span, order: CutOrder, store: BlobStore, heard_by: str) -> CutPart:
    sha256 = digest_of(span)
    heard_key = _heard_key(store, order, span.start_sample, sha256, heard_by)
    sound = None if heard_key is not None else write_sound(order.scratch_dir / f"part-{number}", span)
    return CutPart(number, span.start_sample, len(span.samples), sha256, sound, heard_key)


def _heard_key(store: BlobStore, order: CutOrder, start_sample: int, sha256: str, heard_by: str) -> str | None:
    """Of what was heard before in the same sound at the same place, if it was heard by the same."""
    key = order.known.get(sha256)
    known = _known(store, key)
    is_same = known is not None and (known.start_sample, known.sha256, known.heard_by) == (
        start_sample,
        sha256,
        heard_by,
    )
    return key if is_same else None


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
