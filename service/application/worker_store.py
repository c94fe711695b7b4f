"""The blob store of a worker process: opened once, by the URL given in its orders."""

from contextlib import suppress
from functools import lru_cache

from adapters.blobs.opening import locks_when_opened, open_store
from adapters.blobs.port import BlobFailure, BlobStore

_NO_BLOB = "nobody/nothing"


@lru_cache(maxsize=1)
def store_at(url: str) -> BlobStore:
    return open_store(url)


def open_ahead(url: str) -> None:
    """Open it before there is a job. Whoever opens an index in a file locks it for a moment, and a job that is paused
    in that moment would keep everybody from writing. A database is not asked before there is a job: its connections
    are few."""
    if not locks_when_opened(url):
        return
    with suppress(BlobFailure):  # the first job that needs it reports this
        store_at(url).open(_NO_BLOB).close()
