"""Makes the index of the blobs in a bucket say what is in the bucket. Blocking; while no service is running."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager

from adapters.blobs.opening import open_store
from adapters.blobs.url import is_bucket
from adapters.event_log.url import is_postgres
from service.runtime.data_dir import owned_data_dir
from service.runtime.settings import Settings


class NothingToMend(Exception):
    def __init__(self) -> None:
        super().__init__("Only an index of blobs in a bucket is mended so: stores on local files are at each start.")


def mend_blobs(settings: Settings, *, take_over: bool) -> Iterator[str]:
    """A sentence for each difference that there was. `take_over`: whoever had the bucket before.

    Raises: NothingToMend; DataDirInUse, DatabaseInUse; ServerAway; StorageFull, StorageUnavailable; OSError.
    """
    if not is_bucket(settings.blob_store_url):
        raise NothingToMend
    from adapters.blobs.bucket.store import BucketBlobStore  # noqa: PLC0415 - its client is needed for buckets only

    with owned_data_dir(settings.data_dir), _own_database(settings.log_url):
        store = open_store(settings.blob_store_url)
        assert isinstance(store, BucketBlobStore)  # noqa: S101 - what the URL opens
        try:
            yield from store.mend(take_over=take_over)
        finally:
            asyncio.run(store.close())


@contextmanager
def _own_database(url: str) -> Iterator[None]:
    """No service runs on a database, from whichever machine, during the block. Raises: DatabaseInUse; ServerAway."""
    if not is_postgres(url):
        yield
        return
    from adapters.database.ownership import DatabaseClaim  # noqa: PLC0415 - the embedded profile does without it

    with closing(DatabaseClaim(url)):
        yield
