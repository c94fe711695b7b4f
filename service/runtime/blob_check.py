"""Compares what is stored with what the log says is stored. Blocking; can read beside a running service."""

import asyncio
import hashlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from adapters.blobs.opening import open_store
from adapters.blobs.port import BlobFailure, BlobNotFound, BlobStore
from adapters.blobs.segments.check import check_segments
from adapters.blobs.url import is_bucket
from adapters.event_log.mapper import RecordedEvent
from adapters.event_log.opening import open_log
from adapters.event_log.reader import EventReader
from domain.events import (
    EVENT_TYPES,
    AmbientSessionOpened,
    AmbientSessionUpdated,
    LoggedEvent,
    NoteOrdered,
    RecordingEvent,
    RecordingOpened,
)
from service.runtime.erased_blobs import ErasedBlobs
from service.runtime.key_set import KeySet
from service.runtime.settings import Settings

if TYPE_CHECKING:
    from adapters.blobs.bucket.store import BucketBlobStore

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
        reader = EventReader(log.recorder)
        erased = ErasedBlobs(reader, store)
        spoken_of = KeySet()
        count = size_bytes = 0
        for key, sha256, is_wanted in _spoken_of(reader, erased):
            spoken_of.add(key)
            try:
                actual, length = digest_of(store, key)
            except BlobNotFound:
                if is_wanted():
                    yield Finding(f"{key} is missing.", is_loss=True)
                continue
            except BlobFailure as failure:
                yield Finding(f"{key} cannot be read: {failure}", is_loss=True)
                continue
            count, size_bytes = count + 1, size_bytes + length
            if actual != (sha256 or key[-64:]):
                yield Finding(f"{key} is not what was stored: its SHA-256 is {actual}.", is_loss=True)
        beside = yield from _beside(_stored(settings, store), spoken_of, erased)
        yield Finding(f"{count} blobs of the log were read, {size_bytes:,} bytes; {beside} more are stored.", False)
    finally:
        log.close()
        asyncio.run(store.close())


def _beside(stored: Iterator[str], spoken_of: KeySet, erased: ErasedBlobs) -> Generator[Finding, None, int]:
    """What is stored and the log does not need. Returns how many blobs no event refers to."""
    due = beside = 0
    for key in stored:
        erasure = erased.find(key)
        beside += key not in spoken_of
        if erasure is None:
            if key not in spoken_of:
                yield Finding(f"{key} is stored, but the log does not refer to it.", is_loss=False)
            continue
        was_erased = f"{key} is stored, though it was erased: {erasure.why}."
        if because := erased.held_back_because(erasure):
            yield Finding(f"{was_erased} {because}, so it is kept.", is_loss=False)
        else:
            due += 1
            yield Finding(was_erased, is_loss=False)
    if due:
        yield Finding(
            f"{due} of the stored blobs were erased before: `tapedeck blobs mend` erases them again.", is_loss=False
        )
    return beside


def _stored(settings: Settings, store: BlobStore) -> Iterator[str]:
    """All keys, also those of which the index of a bucket does not know where they are."""
    yield from store.keys("")
    if is_bucket(settings.blob_store_url):
        unindexed = KeySet()
        for key in _in_bucket(store).unindexed_keys():
            if key not in unindexed:
                unindexed.add(key)
                yield key


def _of_the_store(settings: Settings, store: BlobStore) -> Iterator[Finding]:
    """What is wrong with the store itself, whatever the log says."""
    if is_bucket(settings.blob_store_url):
        differences = _in_bucket(store).differences()
        yield from (Finding(each.sentence, is_loss=each.is_loss) for each in differences)
    elif (directory := _segments(settings)) is not None:
        yield from (Finding(each, is_loss=True) for each in check_segments(directory))


def _in_bucket(store: BlobStore) -> "BucketBlobStore":
    from adapters.blobs.bucket.store import BucketBlobStore  # noqa: PLC0415 - its client is needed for buckets only

    assert isinstance(store, BucketBlobStore)  # noqa: S101 - what the URL opens
    return store


def _spoken_of(reader: EventReader, erased: ErasedBlobs) -> Iterator[tuple[str, str | None, Callable[[], bool]]]:
    """Key, SHA-256 where the log has it, and whether it must be stored, which is asked only of what is not."""
    erased.read_log()
    for recorded in reader.all():
        for key, sha256 in _blobs_of(recorded.event):
            yield key, sha256, partial(_is_wanted, erased, key, recorded)


def _is_wanted(erased: ErasedBlobs, key: str, recorded: RecordedEvent) -> bool:
    if isinstance(recorded.event, RecordingEvent):
        return erased.is_needed(key, recorded.stream_id)
    return not isinstance(recorded.event, AmbientSessionOpened | AmbientSessionUpdated)  # a later one may replace it


def _blobs_of(event: LoggedEvent) -> Iterator[tuple[str, str | None]]:
    match event:
        case _ if type(event) in _WITH_A_BLOB:
            facts = vars(event)
            if facts["blob_key"] is not None:
                yield facts["blob_key"], facts["sha256"]
        case RecordingOpened() | AmbientSessionOpened() | AmbientSessionUpdated() if event.details_key is not None:
            yield event.details_key, None
        case NoteOrdered() if event.prompt_key is not None:
            yield event.prompt_key, None
        case _:
            pass


_WITH_A_BLOB = {event_type for event_type in EVENT_TYPES.values() if "blob_key" in event_type.model_fields}


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
