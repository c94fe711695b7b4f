"""Compares what is stored with what the log says is stored. Blocking; can read beside a running service."""

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID

from adapters.blobs.opening import open_store
from adapters.blobs.port import BlobFailure, BlobNotFound, BlobStore
from adapters.blobs.segments.check import check_segments
from adapters.blobs.url import is_bucket
from adapters.event_log.opening import open_log
from adapters.event_log.reader import EventReader
from domain.events import (
    EVENT_TYPES,
    AmbientSessionOpened,
    AmbientSessionUpdated,
    ChunkStored,
    ContentErased,
    LoggedEvent,
    NoteOrdered,
    RecordingDeleted,
    RecordingEvent,
    RecordingOpened,
    Stitched,
)
from domain.recording import fold
from service.runtime.key_set import KeySet
from service.runtime.settings import Settings

_BLOCK_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to report. A loss: bytes that the log refers to are missing or changed."""

    sentence: str
    is_loss: bool


def check_blobs(settings: Settings) -> Iterator[Finding]:
    """The differences, then one sentence on what was read. Raises: NoEventLog."""
    log = open_log(settings.log_url, must_exist=True)
    store = open_store(settings.blob_store_url)
    try:
        yield from _of_the_store(settings, store)
        spoken_of = KeySet()
        count = size_bytes = 0
        for key, sha256, may_be_gone in _spoken_of(EventReader(log.recorder)):
            spoken_of.add(key)
            try:
                actual, length = digest_of(store, key)
            except BlobNotFound:
                if not may_be_gone:
                    yield Finding(f"{key} is missing.", is_loss=True)
                continue
            except BlobFailure as failure:
                yield Finding(f"{key} cannot be read: {failure}", is_loss=True)
                continue
            count, size_bytes = count + 1, size_bytes + length
            if actual != (sha256 or key[-64:]):
                yield Finding(f"{key} is not what was stored: its SHA-256 is {actual}.", is_loss=True)
        orphans = [key for key in store.keys("") if key not in spoken_of]
        for key in orphans:
            yield Finding(f"{key} is stored, but the log does not refer to it.", is_loss=False)
        yield Finding(
            f"{count} blobs of the log were read, {size_bytes:,} bytes; {len(orphans)} more are stored.", False
        )
    finally:
        log.close()
        asyncio.run(store.close())


def _of_the_store(settings: Settings, store: BlobStore) -> Iterator[Finding]:
    """What is wrong with the store itself, whatever the log says."""
    if is_bucket(settings.blob_store_url):
        from adapters.blobs.bucket.store import BucketBlobStore  # noqa: PLC0415 - its client is needed for buckets only

        assert isinstance(store, BucketBlobStore)  # noqa: S101 - what the URL opens
        yield from (Finding(each.sentence, is_loss=each.is_loss) for each in store.differences())
    elif (directory := _segments(settings)) is not None:
        yield from (Finding(each, is_loss=True) for each in check_segments(directory))


def _spoken_of(reader: EventReader) -> Iterator[tuple[str, str | None, bool]]:
    """Key, SHA-256 where the log has it, and whether it may rightly be gone, as a chunk may once it is in the audio.

    Nothing is listed for deleted recordings, nor for the notes that were ordered of them.
    """
    stitched, deleted, erased = set(), set(), set()
    ordered_of: dict[bytes, bytes] = {}
    for event, stream in _events(reader):
        if type(event) is Stitched and not event.damage:
            stitched.add(stream)
        elif type(event) is RecordingDeleted:
            deleted.add(stream)
        elif type(event) is ContentErased:
            erased.add(stream)
        elif type(event) is NoteOrdered:
            ordered_of[stream] = event.recording_id.bytes
    needed_by = lru_cache(maxsize=1_000)(partial(_needed_by, reader))
    for event, stream in _events(reader):
        if ordered_of.get(stream, stream) not in deleted:
            for key, sha256, may_be_gone in _blobs_of(event, is_stitched=stream in stitched):
                yield key, sha256, may_be_gone or (stream in erased and key not in needed_by(stream))


def _needed_by(reader: EventReader, stream: bytes) -> set[str]:
    """The keys of the blobs that the recording still refers to."""
    history = reader.history(UUID(bytes=stream))
    recording = fold(recorded.event for recorded in history if isinstance(recorded.event, RecordingEvent))
    if recording is None:
        return set()
    return recording.blobs_in_use() | {each.blob_key for each in recording.superseded.values()}


def _blobs_of(event: LoggedEvent, *, is_stitched: bool) -> Iterator[tuple[str, str | None, bool]]:
    match event:
        case ChunkStored() if event.blob_key is not None:
            yield event.blob_key, event.sha256, is_stitched
        case _ if type(event) in _WITH_A_BLOB and type(event) is not ChunkStored:
            facts = vars(event)
            yield facts["blob_key"], facts["sha256"], False
        case RecordingOpened() if event.details_key is not None:
            yield event.details_key, None, False
        case NoteOrdered() if event.prompt_key is not None:
            yield event.prompt_key, None, False
        case AmbientSessionOpened() | AmbientSessionUpdated() if event.details_key is not None:
            yield event.details_key, None, True  # a later update may have replaced it
        case _:
            pass


_WITH_A_BLOB = {event_type for event_type in EVENT_TYPES.values() if "blob_key" in event_type.model_fields}


def _events(reader: EventReader) -> Iterator[tuple[LoggedEvent, bytes]]:
    position = 0
    while events := reader.after(position):
        for recorded in events:
            yield recorded.event, recorded.stream_id.bytes
        position = events[-1].position


def digest_of(store: BlobStore, key: str) -> tuple[str, int]:
    """The SHA-256, in hex, and the size in bytes of what is stored. Raises: BlobNotFound, StorageUnavailable."""
    digest, length = hashlib.sha256(), 0
    with store.open(key) as reader:
        while block := reader.read(_BLOCK_BYTES):
            digest.update(block)
            length += len(block)
    return digest.hexdigest(), length


def _segments(settings: Settings) -> Path | None:
    parts = urlsplit(settings.blob_store_url)
    return Path(unquote(parts.path)) / ".segments" if parts.scheme == "segments" else None
