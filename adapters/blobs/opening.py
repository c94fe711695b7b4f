"""Opens the blob store that a URL names: the only place that knows which stores there are."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from adapters.blobs.bucket.address import parse_address
from adapters.blobs.files.store import FileBlobStore
from adapters.blobs.port import BlobStore
from adapters.blobs.segments.staging import SMALL_BYTES
from adapters.blobs.segments.store import SegmentBlobStore
from adapters.blobs.url import is_bucket
from adapters.database.port import PostgresPlace

INDEX_SCHEMA = "tapedeck_bucket"
"""What the index of a bucket is in, in PostgreSQL."""


def open_store(url: str, *, small_bytes: int = SMALL_BYTES) -> BlobStore:
    """The store that a URL names. Worker processes get the URL.

    `segments:///absolute/path`, `file:///absolute/path`, or `s3://bucket/prefix?folder=/absolute/path`, with the folder
    of the bucket's index, and `&index=postgresql://…` if the index is in that database; `gs://` and `az://` likewise.
    Nothing is asked of a bucket or a database before it is needed. Raises: ValueError, with one sentence, if the URL
    names no store.
    """
    if is_bucket(url):
        return _open_bucket(url, small_bytes=small_bytes)
    parts = urlsplit(url)
    if parts.scheme not in ("file", "segments"):
        raise ValueError(
            f"There is no blob store for {url!r}: only segments:///absolute/path, file:///absolute/path, "
            "s3://bucket/prefix, gs://bucket/prefix and az://container/prefix are known."
        )
    if parts.netloc or not parts.path.startswith("/") or parts.query or parts.fragment or "%00" in parts.path:
        raise ValueError(f"A blob store on local files needs {parts.scheme}:///absolute/path, not {url!r}.")
    path = Path(unquote(parts.path))
    return FileBlobStore(path) if parts.scheme == "file" else SegmentBlobStore(path, small_bytes=small_bytes)


def locks_when_opened(url: str) -> bool:
    """Whether who opens it locks something for a moment: an index in a file."""
    return not is_bucket(url) or parse_address(url).index is None


def _open_bucket(url: str, *, small_bytes: int) -> BlobStore:
    from adapters.blobs.bucket.index_in_file import INDEX_FILE, IndexInFile  # noqa: PLC0415 - for buckets only
    from adapters.blobs.bucket.store import BucketBlobStore  # noqa: PLC0415 - its client is needed for buckets only

    try:
        address = parse_address(url)
    except ValueError as error:
        raise ValueError(f"A blob store in a bucket {error}.") from None
    if address.folder is None:
        raise ValueError("A blob store in a bucket needs the folder of its index.")
    if address.index is None:
        return BucketBlobStore(address, address.folder, IndexInFile(address.folder), small_bytes=small_bytes)
    from adapters.blobs.bucket.index_in_postgres import IndexInPostgres  # noqa: PLC0415 - files do without it

    place = PostgresPlace(address.index, INDEX_SCHEMA, before=address.folder / INDEX_FILE)
    return BucketBlobStore(address, address.folder, IndexInPostgres(place), small_bytes=small_bytes)
