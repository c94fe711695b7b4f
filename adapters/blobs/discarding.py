"""Removes a staged body that no event will ever refer to."""

from adapters.blobs.port import BlobNotFound, BlobStore, Staged


async def discard(store: BlobStore, body: Staged) -> None:
    """Remove it if it is a blob by now. Raises: StorageUnavailable.

    A body that was to become durable with its event may be a blob, too, if that commit failed after the bytes' sync.
    """
    if body.keeper is not None:
        try:
            await store.size(body.blob.key)
        except BlobNotFound:
            return  # nearly always the case, and checking costs less than erasing
    await store.delete(body.blob.key)
