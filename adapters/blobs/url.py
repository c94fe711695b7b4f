"""Which URLs name a blob store. Apart from `opening`, so that settings are checked without importing any store."""


def check_blob_url(url: str) -> None:
    """Raises: ValueError, which says what the URL must be."""
    if not url.startswith(("segments:///", "file:///")):
        raise ValueError("must be segments:///PATH or file:///PATH")
