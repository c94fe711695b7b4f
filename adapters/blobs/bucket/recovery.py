"""Compares the index with the bucket, which may differ after a crash, or if one of them was restored from a backup.

An object that the index does not know is indexed: it may hold what was acknowledged after the backup was made. So is
one that has been deleted and is there again, as in an older bucket: what was moved out of it since may be nowhere else.
One that the bucket does not have is forgotten. What the log does not refer to goes when its recording is erased; it
stays if that has been erased already, for the log is not asked here, but by `tapedeck blobs mend`.

Both are read page by page, in the order of names in which a bucket lists its objects. Services may store and erase
meanwhile, so what seems to be missing is looked for once more, and what seems to be unknown is asked for again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from adapters.blobs.bucket.bucket import Bucket
from adapters.blobs.bucket.index import SHARED, BucketIndex
from adapters.blobs.bucket.object_format import BEGINNING_BYTES, DamagedObject, Part, parts_in
from adapters.blobs.bucket.space import unreplaced
from adapters.blobs.port import BlobNotFound

PAGE = 1_000
"""So many objects are compared at once; so many a bucket lists at once."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One of them, for people. A loss: blobs that cannot be read."""

    sentence: str
    is_loss: bool


def described(bucket: Bucket, index: BucketIndex) -> Iterator[Difference]:
    """The differences, of which nothing is mended here. What is about to be deleted counts as known."""
    for name in _missing(bucket, index):
        if lost := len(index.live_in(name)):
            yield Difference(f"{name} is missing in the bucket, with {lost} blobs.", is_loss=True)
    for name, _ in _unknown(bucket, index):
        if bucket.has(name) and _are_unknown(index, [name]):  # or it was just being stored or deleted
            yield Difference(
                f"{name} is in the bucket, but not in the index: the next start or `tapedeck blobs mend` looks into "
                "it.",
                is_loss=False,
            )


def unindexed(bucket: Bucket, index: BucketIndex) -> Iterator[str]:
    """The keys of the blobs in objects that the index does not know, but for those that it has elsewhere. One of which
    there are several is named several times."""
    for name, _ in _unknown(bucket, index):
        try:
            keys = [part.key for part in _parts(bucket, name)]
        except (BlobNotFound, DamagedObject):
            continue
        indexed = index.present(keys)
        yield from (key for key in keys if key not in indexed)


def reconcile(bucket: Bucket, index: BucketIndex) -> Iterator[str]:
    """Make the index say what is in the bucket. Yields a sentence for each difference."""
    yield from _forget_missing(bucket, index)  # first: what was in them may be in an unknown one now
    moves = index.unfinished_moves()
    leftovers = unreplaced(bucket, moves)
    index.take_away(leftovers)
    index.let_go([name for name in moves if name not in leftovers])
    for name, size_bytes in _unknown(bucket, index):
        try:
            parts = _parts(bucket, name)
        except BlobNotFound:
            continue
        except DamagedObject:
            yield f"{name} cannot be read as an object of this service; it is left alone."
            continue
        if index.was_deleted([name]):
            index.revive([name])
        if (count := index.adopt(name, size_bytes, parts)) is not None:
            yield f"{name} was not in the index; it has {count} blobs that were nowhere else."


def _forget_missing(bucket: Bucket, index: BucketIndex) -> Iterator[str]:
    """If one of them had blobs, these may have been moved out of objects that are about to be deleted and are still
    there, or there again. So nothing is deleted unless it was looked into."""
    are_lost = False
    for name in _missing(bucket, index):
        if not are_lost and index.live_in(name):
            are_lost = True
            index.revive([each for each in index.doomed() if bucket.has(each)])
        yield f"{name} is not in the bucket; the index named {index.forget([name])} blobs in it that nothing else has."


def _parts(bucket: Bucket, name: str) -> Sequence[Part]:
    """Raises: BlobNotFound; DamagedObject."""
    return parts_in(bucket.beginning(name, BEGINNING_BYTES))


def _missing(bucket: Bucket, index: BucketIndex) -> Iterator[str]:
    """Objects that are in the index and not in the bucket."""
    last = ""
    for page in _pages(bucket):
        there = {name for name, _ in page}
        yield from _not_there(bucket, index, there, after=last, up_to=(last := max(there)))
    yield from _not_there(bucket, index, set(), after=last, up_to=None)


def _not_there(bucket: Bucket, index: BucketIndex, there: set[str], *, after: str, up_to: str | None) -> Iterator[str]:
    while names := index.names(after=after, up_to=up_to):
        for name in names:
            if name not in there and not bucket.has(name) and index.has(name):
                yield name
        after = names[-1]


def _unknown(bucket: Bucket, index: BucketIndex) -> Iterator[tuple[str, int]]:
    """Objects that are in the bucket and not in the index, with their sizes. Some may have been deleted since they were
    listed."""
    for page in _pages(bucket):
        unknown = _are_unknown(index, [name for name, _ in page])
        for name, size_bytes in page:
            if name in unknown:
                yield name, size_bytes


def _are_unknown(index: BucketIndex, names: Sequence[str]) -> set[str]:
    """Those that are not here, or are only known to have been deleted."""
    return (set(names) - index.known(names)) | index.was_deleted(names)


def _pages(bucket: Bucket) -> Iterator[Sequence[tuple[str, int]]]:
    listed = bucket.sizes(SHARED)
    while page := list(islice(listed, PAGE)):
        yield page
