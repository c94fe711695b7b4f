"""Removes a staged body that no event will ever refer to."""

from adapters.blobs.looking import is_stored
from adapters.blobs.port import BlobStore, Staged


async def discard(store: BlobStore, body: Staged) -> None:
    """Remove it if it is a blob by now. Raises: StorageUnavailable.

    A body that was to become durable with its event may be a blob, too, if that commit failed after the bytes' sync.
    """
    if body.keeper is not None and not await is_stored(store, body.blob.key):
        return  # nearly always the case, and checking costs less than erasing
    await store.delete(body.blob.key)
