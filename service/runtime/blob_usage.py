"""How much room the stored bytes take. Blocking; can read beside a running service."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from adapters.blobs.segments.index import SegmentIndex
from adapters.blobs.segments.space import space_usage
from adapters.blobs.url import is_bucket
from service.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class BlobUsage:
    """Of one kind of place: how many blobs, and their live, dead and all bytes. `where`: on disk or in bucket."""

    kind: str
    blobs: int
    live_bytes: int
    dead_bytes: int
    taken_bytes: int
    where: str


def blob_usage(settings: Settings) -> Iterator[BlobUsage]:
    """For blobs that share a place, and for those with one each. Raises: StorageFull, StorageUnavailable."""
    return _in_bucket(settings) if is_bucket(settings.blob_store_url) else _on_disk(settings)


def _in_bucket(settings: Settings) -> Iterator[BlobUsage]:
    from adapters.blobs.bucket.store import BucketBlobStore  # noqa: PLC0415 - its client is needed for buckets only
    from adapters.blobs.opening import open_store  # noqa: PLC0415 - likewise

    store = open_store(settings.blob_store_url)
    assert isinstance(store, BucketBlobStore)  # noqa: S101 - what the URL opens
    try:
        shared, sizes = store.shared_usage(), list(store.sizes_of_large())
    finally:
        asyncio.run(store.close())
    yield BlobUsage("shared", shared.live_blobs, shared.live_bytes, shared.dead_bytes, shared.stored_bytes, "in bucket")
    yield BlobUsage("objects", len(sizes), sum(sizes), 0, sum(sizes), "in bucket")


def _on_disk(settings: Settings) -> Iterator[BlobUsage]:
    url = urlsplit(settings.blob_store_url)
    root = Path(unquote(url.path))
    directory = root / ".segments"
    if url.scheme == "segments" and directory.exists():
        index = SegmentIndex(directory / "index.sqlite3")
        used = space_usage(directory, index)
        index.close()
        yield BlobUsage("segments", used.live_blobs, used.live_bytes, used.dead_bytes, used.disk_bytes, "on disk")
    count = live = disk = 0
    for path in root.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts):
            status = path.stat()
            count, live, disk = count + 1, live + status.st_size, disk + status.st_blocks * 512
    yield BlobUsage("files", count, live, 0, disk, "on disk")
