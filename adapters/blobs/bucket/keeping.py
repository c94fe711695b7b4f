"""Makes staged bodies durable: those that wait together share objects; then the index says where each of them is."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from adapters.blobs.bucket.bucket import Bucket
from adapters.blobs.bucket.index import BucketIndex
from adapters.blobs.bucket.object_format import MOST_BODIES, MOST_BYTES, Body, checksum_of, laid_out
from adapters.blobs.port import BlobFailure, StorageUnavailable
from adapters.blobs.segments.staging import StagedBody

logger = logging.getLogger(__name__)

OBJECTS_AT_ONCE = 4
ATTEMPTS = 2


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
        content, parts = laid_out(group)
        for _ in range(ATTEMPTS):
            try:
                name = self._index.name_for_new()
            except BlobFailure as failure:
                return failure
            try:
                self._bucket.put(name, content)
                if self._index.add(name, len(content), parts):
                    return None
            except BlobFailure as failure:
                logger.warning("an object was not stored", extra={"because": str(failure), "blobs": len(group)})
                self._give_up(name)
                return failure
            logger.warning("an object was taken for one of a process that is gone", extra={"object": name})
            self._give_up(name)
        return StorageUnavailable("its index takes this process for one that is gone")

    def _give_up(self, name: str) -> None:
        with suppress(BlobFailure):  # then it is found later, if it was written
            self._index.give_up(name)

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
