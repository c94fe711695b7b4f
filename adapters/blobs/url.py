"""Which URLs name a blob store. Apart from `opening`, so that settings are checked without importing any store."""

from adapters.blobs.bucket.address import parse_address


def check_blob_url(url: str) -> None:
    """Raises: ValueError, which says what the URL must be."""
    if is_bucket(url):
        if parse_address(url).folder is not None:
            raise ValueError("must be without 'folder': the index is in the data directory")
    elif not url.startswith(("segments:///", "file:///")):
        raise ValueError("must be segments:///PATH, file:///PATH or s3://BUCKET/PREFIX")


def is_bucket(url: str) -> bool:
    """Whether the blobs are in a bucket, and only their index on a local disk."""
    return url.startswith("s3://")
