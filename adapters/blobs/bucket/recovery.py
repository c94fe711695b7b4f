"""Compares the index with the bucket, which may differ after a crash, or if one of them was restored from a backup.

An object that the index does not know is indexed: it may hold what was acknowledged after the backup was made. One that
the bucket does not have is forgotten. What the log does not refer to goes when its recording is erased; it stays if
that has been erased already, for the log is not asked here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from adapters.blobs.bucket.bucket import Bucket
from adapters.blobs.bucket.index import BucketIndex
from adapters.blobs.bucket.keeping import SHARED
from adapters.blobs.bucket.object_format import BEGINNING_BYTES, DamagedObject, parts_in
from adapters.blobs.port import BlobNotFound


@dataclass(frozen=True, slots=True)
class Difference:
    """One of them, for people. A loss: blobs that cannot be read."""

    sentence: str
    is_loss: bool


@dataclass(slots=True)
class Differences:
    """`unknown`: objects that the index did not know, with their sizes. `missing`: those the bucket did not have."""

    unknown: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def differences(bucket: Bucket, index: BucketIndex) -> Differences:
    """What bucket and index do not agree on. What is about to be deleted counts as known."""
    before = {each.name for each in index.objects()}
    there = dict(bucket.sizes(SHARED))
    now = {each.name for each in index.objects()}  # looked at twice: a service may be storing meanwhile
    known = now | set(index.doomed())
    return Differences(
        unknown={name: size for name, size in there.items() if name not in known},
        missing=sorted((before & now) - there.keys()),
    )


def described(bucket: Bucket, index: BucketIndex) -> Iterator[Difference]:
    """The differences, of which nothing is mended here."""
    found = differences(bucket, index)
    for name in found.missing:
        if lost := len(index.live_in(name)):
            yield Difference(f"{name} is missing in the bucket, with {lost} blobs.", is_loss=True)
    for name in found.unknown:
        yield Difference(
            f"{name} is in the bucket, but not in the index: the next start or `tapedeck blobs mend` looks into it.",
            is_loss=False,
        )


def reconcile(bucket: Bucket, index: BucketIndex) -> Iterator[str]:
    """Make the index say what is in the bucket. Yields a sentence for each difference."""
    found = differences(bucket, index)
    for name in found.missing:  # first: what was in them may be in an unknown one now
        yield f"{name} is not in the bucket; the index named {index.forget([name])} blobs in it that nothing else has."
    for name, size_bytes in found.unknown.items():
        try:
            parts = parts_in(bucket.beginning(name, BEGINNING_BYTES))
        except BlobNotFound:
            continue
        except DamagedObject:
            yield f"{name} cannot be read as an object of this service; it is left alone."
            continue
        index.add(name, size_bytes, parts)
        yield f"{name} was not in the index; it has {len(index.live_in(name))} blobs that were nowhere else."
