"""Makes staged bodies durable: those that wait together share objects; then the index says where each of them is."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import uuid4

from adapters.blobs.bucket.bucket import Bucket
from adapters.blobs.bucket.index import BucketIndex
from adapters.blobs.bucket.object_format import MOST_BODIES, MOST_BYTES, Body, checksum_of, laid_out
from adapters.blobs.port import BlobFailure, StorageUnavailable
from adapters.blobs.segments.staging import StagedBody

logger = logging.getLogger(__name__)

SHARED = "segments"
"""The folder of the objects that bodies share."""

OBJECTS_AT_ONCE = 4


def new_name() -> str:
    return f"{SHARED}/{uuid4()}"


class ObjectKeeper:
    """Blocking; can be used from any thread. One call puts at most OBJECTS_AT_ONCE objects at a time."""

    def __init__(self, bucket: Bucket, index: BucketIndex) -> None:
        self._bucket = bucket
        self._index = index
        self._threads = ThreadPoolExecutor(OBJECTS_AT_ONCE, thread_name_prefix="objects")
        self._closed = False

    def make_durable(self, bodies: Sequence[StagedBody], /) -> list[BlobFailure | None]:
        """Put these bodies, except those already there. Returns each body's failure, or None."""
        if self._closed:
            return [StorageUnavailable("it has been closed")] * len(bodies)
        try:
            present = self._index.present([body.blob.key for body in bodies])
        except BlobFailure as failure:
            return [failure] * len(bodies)
        new = {body.blob.key: body for body in bodies if body.blob.key not in present}
        groups = list(_groups([_body(each) for each in new.values()]))
        outcomes = [self._put(groups[0])] if len(groups) == 1 else list(self._threads.map(self._put, groups))
        failures = {body.key: failure for group, failure in zip(groups, outcomes, strict=True) for body in group}
        return [failures.get(body.blob.key) for body in bodies]

    def _put(self, group: Sequence[Body]) -> BlobFailure | None:
        """The object first, then the index, durably: a crash in between leaves an object that nothing refers to."""
        name = new_name()
        content, parts = laid_out(group)
        try:
            self._bucket.put(name, content)
            self._index.add(name, len(content), parts)
        except BlobFailure as failure:
            logger.warning("an object was not stored", extra={"because": str(failure), "blobs": len(group)})
            with suppress(BlobFailure):  # then the next start finds it, if it was written
                self._index.doom([name], may_still_arrive=True)
            return failure
        return None

    def close(self) -> None:
        self._closed = True
        self._threads.shutdown()


def _body(staged: StagedBody) -> Body:
    return Body(staged.blob.key, staged.pieces, staged.size_bytes, checksum_of(staged.pieces))


def _groups(bodies: Sequence[Body]) -> Iterator[list[Body]]:
    """Bodies that share an object, in their order."""
    group: list[Body] = []
    size_bytes = 0
    for body in bodies:
        if group and (len(group) >= MOST_BODIES or size_bytes + body.size_bytes > MOST_BYTES):
            yield group
            group, size_bytes = [], 0
        group.append(body)
        size_bytes += body.size_bytes
    if group:
        yield group
