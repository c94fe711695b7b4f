"""The blob store of a worker process: opened once, by the URL given in its orders."""

from functools import lru_cache

from adapters.blobs.opening import open_store
from adapters.blobs.port import BlobStore


@lru_cache(maxsize=1)
def store_at(url: str) -> BlobStore:
    return open_store(url)
