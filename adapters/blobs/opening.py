"""Opens the blob store that a URL names: the only place that knows which stores there are."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from adapters.blobs.files.store import FileBlobStore
from adapters.blobs.port import BlobStore
from adapters.blobs.segments.store import SMALL_BYTES, SegmentBlobStore


def open_store(url: str, *, small_bytes: int = SMALL_BYTES) -> BlobStore:
    """The store that a URL names: `segments:///absolute/path` or `file:///absolute/path`. Worker processes get the URL.

    Raises: ValueError, with one sentence, if the URL names no store.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("file", "segments"):
        raise ValueError(
            f"There is no blob store for {url!r}: only segments:///absolute/path and file:///absolute/path are known."
        )
    if parts.netloc or not parts.path.startswith("/") or parts.query or parts.fragment or "%00" in parts.path:
        raise ValueError(f"A blob store on local files needs {parts.scheme}:///absolute/path, not {url!r}.")
    path = Path(unquote(parts.path))
    return FileBlobStore(path) if parts.scheme == "file" else SegmentBlobStore(path, small_bytes=small_bytes)
