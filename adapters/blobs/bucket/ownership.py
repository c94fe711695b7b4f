"""A marker in the bucket says whose it is, so that two data directories, or databases, never share one by
mistake."""

from uuid import uuid4

from adapters.blobs.bucket.bucket import Bucket
from adapters.blobs.bucket.index import BucketIndex
from adapters.blobs.port import BlobNotFound, StorageUnavailable

MARKER = "owner"


def claim(bucket: Bucket, index: BucketIndex) -> None:
    """Prove that the bucket belongs to this index, or make it so if both are new. Raises: StorageUnavailable."""
    _check_deletes(bucket)
    found, mine = marker_in(bucket), index.owner()
    if found is None and index.is_marked():
        raise StorageUnavailable(
            f"{bucket} is without its marker: it is not where this {index.owned_by} has stored its blobs, or it "
            "was emptied; `tapedeck blobs mend --take-over` takes it as it is"
        )
    if found is None:
        mine = mine or str(uuid4())
        index.set_owner(mine)
        found = mine if bucket.create(MARKER, mine.encode()) else marker_in(bucket)
    if found != mine:
        raise StorageUnavailable(
            f"{bucket} belongs to another {index.owned_by}; if that is gone, `tapedeck blobs mend --take-over` makes "
            "it this one's"
        )
    if not index.is_marked():
        index.set_marked()


def check_own(bucket: Bucket, index: BucketIndex) -> None:
    """Refuse if the marker is not this index's: another may have taken over. Raises: StorageUnavailable.

    Clients read what is raised here, so it does not name the bucket.
    """
    if marker_in(bucket) != index.owner():
        raise StorageUnavailable(f"its bucket no longer belongs to this {index.owned_by}, so nothing in it is deleted")


def make_own(bucket: Bucket, index: BucketIndex) -> None:
    """Make the bucket this index's, whoever had it. Raises: StorageUnavailable."""
    _check_deletes(bucket)
    mine = index.owner() or str(uuid4())
    index.set_owner(mine)
    bucket.put(MARKER, mine.encode())
    index.set_marked()


def marker_in(bucket: Bucket) -> str | None:
    """Whose the bucket is."""
    try:
        return bucket.whole(MARKER).decode(errors="replace")
    except BlobNotFound:
        return None


def _check_deletes(bucket: Bucket) -> None:
    if bucket.keeps_versions():
        raise StorageUnavailable(
            f"{bucket} keeps old versions, so what is deleted would stay there; suspend its versioning, and delete the "
            "versions that it has"
        )
