"""Which URLs name a blob store. Apart from `opening`, so that settings are checked without importing any store."""

from adapters.blobs.bucket.address import is_address, parse_address


def check_blob_url(url: str) -> None:
    """Raises: ValueError, which says what the URL must be."""
    if is_bucket(url):
        address = parse_address(url)
        if address.folder is not None:
            raise ValueError("must be without 'folder': that is in the data directory")
        if address.index is not None:
            raise ValueError("must be without 'index': that is where the event log is")
    elif not url.startswith(("segments:///", "file:///")):
        raise ValueError(
            "must be segments:///PATH, file:///PATH, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX"
        )


def is_bucket(url: str) -> bool:
    """Whether the blobs are in a bucket."""
    return is_address(url)
