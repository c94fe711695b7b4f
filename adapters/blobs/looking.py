"""Whether a blob is there."""

from adapters.blobs.port import BlobNotFound, BlobStore


async def is_stored(store: BlobStore, key: str) -> bool:
    """Raises: StorageUnavailable."""
    try:
        await store.size(key)
    except BlobNotFound:
        return False
    return True
