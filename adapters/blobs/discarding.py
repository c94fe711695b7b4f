"""Removes a staged body that no event will ever refer to."""

from adapters.blobs.port import BlobNotFound, BlobStore, Staged


async def discard(store: BlobStore, body: Staged) -> None:
    """Remove it if it is a blob by now. Raises: StorageUnavailable.

    One that was to become durable with its event may be a blob, too: when that commit failed after its bytes.
    """
    if body.keeper is not None:
        try:
            await store.size(body.blob.key)
        except BlobNotFound:
            return  # as nearly always, and finding out costs less than erasing
    await store.delete(body.blob.key)
