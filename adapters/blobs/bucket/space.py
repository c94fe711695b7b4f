"""Deletes for real. An object store punches no holes: what is live in an object with dead blobs moves to a new one.

At any moment one new object, of at most MOST_BYTES, exists beside the old ones. Each step is noted in the index before
it is done and struck out afterwards: a crash anywhere leaves work to be repeated, never bytes that nobody knows of.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adapters.blobs.bucket.bucket import Bucket
from adapters.blobs.bucket.index import BucketIndex, ObjectStanding
from adapters.blobs.bucket.keeping import new_name
from adapters.blobs.bucket.object_format import MOST_BODIES, MOST_BYTES, Body, DamagedObject, laid_out, parts_in
from adapters.blobs.bucket.ownership import check_own
from adapters.blobs.port import BlobNotFound

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SharedUsage:
    """Over all objects that bodies share. `dead_bytes`: what is deleted next, and the tables."""

    live_blobs: int
    live_bytes: int
    dead_bytes: int
    stored_bytes: int


class ObjectSpace:
    """Blocking; called by one thread at a time. Raises: StorageFull, StorageUnavailable."""

    def __init__(self, bucket: Bucket, index: BucketIndex) -> None:
        self._bucket = bucket
        self._index = index
        self._unreadable: set[str] = set()

    def remove_dead(self) -> None:
        """Nothing dead is in the bucket any more when this returns. Only for the bucket's owner."""
        check_own(self._bucket, self._index)
        self._delete_doomed()
        while objects := [each for each in self._index.with_dead_blobs() if each.name not in self._unreadable]:
            empty = [each.name for each in objects if not each.live_blobs]
            self._index.doom(empty, may_still_arrive=False)
            self._delete_doomed()
            for some in _together([each for each in objects if each.live_blobs]):
                self._move([each.name for each in some])
        self._index.give_back()

    def _delete_doomed(self) -> None:
        if doomed := self._index.doomed():
            self._bucket.delete(doomed)
            self._index.deleted(doomed)

    def _move(self, names: Sequence[str]) -> None:
        """Copy what is live in these objects to a new one, as it is: the checksums stay those of the bodies sent."""
        bodies: list[Body] = []
        moved = []
        for name in names:
            try:
                live = list(self._live(name))
            except BlobNotFound:
                lost = self._index.forget([name])
                logger.warning("an object is missing in the bucket", extra={"object": name, "blobs": lost})
            except DamagedObject:
                self._unreadable.add(name)
                logger.warning("an object is damaged; it is left alone", extra={"object": name})
            else:
                bodies += live
                moved.append(name)
        if not moved:
            return
        new = new_name()
        content, parts = laid_out(bodies)
        self._index.doom([new], may_still_arrive=True)  # until it is in the index, it is nobody's
        self._bucket.put(new, content)
        self._index.replace(moved, new, len(content), parts)
        self._delete_doomed()

    def _live(self, name: str) -> Iterator[Body]:
        content = self._bucket.whole(name)
        live = self._index.live_in(name)
        for part in parts_in(content):
            if part.key in live:
                body = content[part.offset : part.offset + part.size_bytes]
                if len(body) != part.size_bytes:
                    raise DamagedObject
                yield Body(part.key, [body], part.size_bytes, part.checksum)

    def usage(self) -> SharedUsage:
        objects = self._index.objects()
        live_bytes, stored_bytes = sum(each.live_bytes for each in objects), sum(each.size_bytes for each in objects)
        return SharedUsage(
            live_blobs=sum(each.live_blobs for each in objects),
            live_bytes=live_bytes,
            dead_bytes=stored_bytes - live_bytes,
            stored_bytes=stored_bytes,
        )


def _together(objects: Sequence[ObjectStanding]) -> Iterator[list[ObjectStanding]]:
    """Objects whose live blobs fit into one."""
    some: list[ObjectStanding] = []
    for each in objects:
        blobs = sum(one.live_blobs for one in some) + each.live_blobs
        size_bytes = sum(one.live_bytes for one in some) + each.live_bytes
        if some and (blobs > MOST_BODIES or size_bytes > MOST_BYTES):
            yield some
            some = []
        some.append(each)
    if some:
        yield some
