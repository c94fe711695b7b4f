"""A large body's way into the bucket: hashed and written to a local file, then sent as an object of its own."""

from collections.abc import Callable
from pathlib import Path

from adapters.blobs.bucket.bucket import Bucket
from adapters.blobs.digests import Buffer
from adapters.blobs.files.arrival import Arrival
from adapters.blobs.port import StoredBlob
from adapters.blobs.storage_errors import storage_errors
from adapters.durable_files import Directories

LARGE = "blobs"
"""The folder of the objects that hold one blob each, named by its key."""


def name_of(key: str) -> str:
    return f"{LARGE}/{key}"


def incoming_in(folder: Path) -> Path:
    """Where bodies arrive in a store's folder."""
    return folder.absolute() / "incoming"


def discard_unfinished(incoming: Path) -> int:
    """Remove what was arriving when this machine's processes ended; returns how many bodies. For the process that owns
    the folder, before anything arrives. Raises: StorageUnavailable."""
    with storage_errors():
        unfinished = list(incoming.iterdir()) if incoming.exists() else []
        for path in unfinished:
            path.unlink()
    return len(unfinished)


class BucketArrival(Arrival):
    """The object's name is the digest of its content, so it is known only at the body's end: hence the local file."""

    def __init__(
        self,
        bucket: Bucket,
        temporary: Path,
        directories: Directories,
        prefix: str,
        check: Callable[[StoredBlob], None] | None,
    ) -> None:
        super().__init__(temporary.parent, temporary, directories, prefix, check)
        self._bucket = bucket
        self._temporary_file = temporary

    def publish(self, last_block: Buffer) -> StoredBlob:
        blob = self.finish(last_block)
        self._bucket.put_file(name_of(blob.key), self._temporary_file)
        self.discard()
        return blob
