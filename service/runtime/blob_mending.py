"""Makes the blobs what they should be, as after a backup was restored. Blocking; while no service is running.

First the index of a bucket says again what is in the bucket, then what the log says was erased is erased again. Killed
halfway, it is finished by the next time.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice

from adapters.blobs.opening import open_store
from adapters.blobs.port import BlobStore
from adapters.blobs.url import is_bucket
from adapters.database.port import DatabaseInUse
from adapters.event_log.opening import open_log
from adapters.event_log.reader import EventReader
from adapters.event_log.url import is_postgres
from service.application.erasing import BLOBS_AT_ONCE
from service.runtime.data_dir import owned_data_dir
from service.runtime.erased_blobs import ErasedBlobs
from service.runtime.settings import Settings


class NothingToTakeOver(Exception):
    def __init__(self) -> None:
        super().__init__("Only a bucket can be taken over: blobs in local files belong to who can write the files.")


@dataclass(frozen=True, slots=True)
class Mended:
    """What was done. `was_erased`: a blob, and not a difference between index and bucket."""

    sentence: str
    was_erased: bool


def mend_blobs(settings: Settings, *, take_over: bool) -> Iterator[Mended]:
    """`take_over`: whoever had the bucket before.

    Raises: NothingToTakeOver; NoEventLog; DataDirInUse, DatabaseInUse; ServerAway, LogUnavailable; StorageFull,
    StorageUnavailable; OSError.
    """
    if take_over and not is_bucket(settings.blob_store_url):
        raise NothingToTakeOver
    with owned_data_dir(settings.data_dir), own_database(settings.log_url) as until_alone:
        store = open_store(settings.blob_store_url)
        try:
            yield from (Mended(sentence, was_erased=False) for sentence in _as_at_a_start(settings, store, take_over))
            with closing(open_log(settings.log_url, must_exist=True)) as log:
                yield from _erase_again(EventReader(log.recorder), store, until_alone)
        finally:
            asyncio.run(store.close())


def _as_at_a_start(settings: Settings, store: BlobStore, take_over: bool) -> Iterator[str]:
    if not is_bucket(settings.blob_store_url):
        store.recover()
        return
    from adapters.blobs.bucket.store import BucketBlobStore  # noqa: PLC0415 - its client is needed for buckets only

    assert isinstance(store, BucketBlobStore)  # noqa: S101 - what the URL opens
    yield from store.mend(take_over=take_over)


def _erase_again(reader: EventReader, store: BlobStore, until_alone: Callable[[], None]) -> Iterator[Mended]:
    """`until_alone`: before each erasing it sees to it that nobody adds to the log, as it is read here."""
    erased = ErasedBlobs(reader, store)
    erased.read_log()
    found = ((key, erasure) for key in store.keys("") if (erasure := erased.find(key)) is not None)
    due = iter([(key, erasure.why) for key, erasure in found if not erased.held_back_because(erasure)])
    while some := list(islice(due, BLOBS_AT_ONCE)):
        until_alone()
        asyncio.run(store.erase_keys([key for key, _ in some]))
        yield from (Mended(f"{key} was erased: {why}.", was_erased=True) for key, why in some)


@contextmanager
def own_database(url: str) -> Iterator[Callable[[], None]]:
    """No process uses a database, from whichever machine, when the block begins, and none begins to in it.

    Gives what is to be called from time to time, since the server may lose what it knew of this process: it returns if
    that still holds. Both raise DatabaseInUse; ServerAway.
    """
    if not is_postgres(url):
        yield lambda: None
        return
    from adapters.database.ownership import CLAIM_SECONDS, DatabaseClaim  # noqa: PLC0415 - embedded, it is not needed
    from adapters.database.presence import Alone  # noqa: PLC0415 - likewise

    with closing(DatabaseClaim(url)) as claim, closing(Alone(url)) as alone:

        def until_alone() -> None:
            """Whoever is ending, or is about to be refused, is waited for; and so is a server that has just begun."""
            claim.renew()
            deadline = time.monotonic() + CLAIM_SECONDS
            while True:
                try:
                    if alone.check():
                        return
                except DatabaseInUse:
                    if time.monotonic() > deadline:
                        raise
                time.sleep(0.1)

        until_alone()
        yield until_alone
