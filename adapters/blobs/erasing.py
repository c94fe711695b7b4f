"""Everything under a prefix goes, for real: an extension of the port, and a way for stores that do not have it."""

from typing import Protocol, cast

from adapters.blobs.store import BlobStore


class ErasingStore(Protocol):
    async def erase(self, prefix: str) -> int:
        """Remove every blob whose key begins with `prefix`, durably; says how many there were.

        On return their bytes are nowhere in the store any more. Erasing what is not there is no error.
        """
        ...


async def erase(store: BlobStore, prefix: str) -> int:
    """`erase` of any store. Raises: StorageFull, StorageUnavailable; InvalidBlobKey."""
    if hasattr(store, "erase"):
        return await cast("ErasingStore", store).erase(prefix)
    keys = list(store.keys(prefix))
    for key in keys:
        await store.delete(key)
    return len(keys)
