"""Deletes for real. An object store punches no holes: what is live in an object with dead blobs moves to a new one.

At any moment one new object, of at most MOST_BYTES, exists beside the old ones. Each step is noted in the index before
it is done and struck out afterwards: a crash anywhere leaves work to be repeated, never bytes that nobody knows of.
"""

import fcntl
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.blobs.bucket.bucket import Bucket
from adapters.blobs.bucket.index import BucketIndex, ObjectStanding
from adapters.blobs.bucket.keeping import new_name
from adapters.blobs.bucket.object_format import (
    MOST_BODIES,
    MOST_BYTES,
    Body,
    DamagedObject,
    checksum_of,
    laid_out,
    parts_in,
)
from adapters.blobs.bucket.ownership import check_own
from adapters.blobs.port import BlobNotFound, StorageUnavailable
from adapters.blobs.storage_errors import storage_errors

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SharedUsage:
    """Over all objects that bodies share. `dead_bytes`: what is deleted next, and the tables."""

    live_blobs: int
    live_bytes: int
    dead_bytes: int
    stored_bytes: int


class ObjectSpace:
    """Blocking; called by one thread at a time. Raises: StorageFull, StorageUnavailable.

    `folder`: the index's, which all processes have that use the bucket.
    """

    def __init__(self, bucket: Bucket, index: BucketIndex, folder: Path) -> None:
        self._bucket = bucket
        self._index = index
        self._folder = folder

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A block that one process is in at a time: two that moved the same object's blobs would each doom the other's
        copy. One that is killed in the block has left it; for one that hangs in it the others wait."""
        with storage_errors():
            lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with storage_errors():
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def remove_dead(self) -> None:
        """Nothing dead is in the bucket any more when this returns.

        If an object lacks a body that is live, it is left as it is, the others are done, and this raises.
        """
        with self._alone():
            self._remove_dead()

    def _remove_dead(self) -> None:
        check_own(self._bucket, self._index)
        self._delete_doomed()
        lacking: set[str] = set()
        while objects := [
            each for each in self._index.with_dead_blobs() if not each.live_blobs or each.name not in lacking
        ]:
            empty = [each.name for each in objects if not each.live_blobs]
            self._index.doom(empty, may_still_arrive=False)
            self._delete_doomed()
            for some in _together([each for each in objects if each.live_blobs]):
                lacking |= self._move([each.name for each in some])
        self._index.give_back()
        if lacking:
            raise StorageUnavailable("an object in its bucket lacks some of what is still needed, so nothing leaves it")

    def _delete_doomed(self) -> None:
        if doomed := self._index.doomed():
            self._bucket.delete(doomed)
            self._index.deleted(doomed)

    def _move(self, names: Sequence[str]) -> set[str]:
        """Copy what is live in these objects to a new one, as it is: the checksums stay those of the bodies sent.

        Returns those that lack some of it, which are left as they are.
        """
        bodies: list[Body] = []
        moved = []
        lacking = set()
        for name in names:
            try:
                live = self._live(name)
            except BlobNotFound:
                lost = self._index.forget([name])
                logger.warning("an object is missing in the bucket", extra={"object": name, "blobs": lost})
            except DamagedObject:
                lacking.add(name)
                logger.warning("an object lacks blobs that are needed; it is left as it is", extra={"object": name})
            else:
                bodies += live
                moved.append(name)
        if not moved:
            return lacking
        new = new_name()
        content, parts = laid_out(bodies)
        self._index.doom([new], may_still_arrive=True)  # until it is in the index, it is nobody's
        self._bucket.put(new, content)
        self._index.replace(moved, new, len(content), parts)
        self._delete_doomed()
        return lacking

    def _live(self, name: str) -> list[Body]:
        """Found by the index: a damaged table loses nothing. Raises: DamagedObject if a body is not all there."""
        content = self._bucket.whole(name)
        checksums = _checksums(name, content)
        bodies = []
        for key, place in self._index.live_in(name).items():
            body = content[place.offset : place.offset + place.size_bytes]
            if len(body) != place.size_bytes:
                raise DamagedObject
            checksum = checksums.get(key)
            bodies.append(Body(key, [body], len(body), checksum_of([body]) if checksum is None else checksum))
        return bodies

    def usage(self) -> SharedUsage:
        objects = self._index.objects()
        live_bytes, stored_bytes = sum(each.live_bytes for each in objects), sum(each.size_bytes for each in objects)
        return SharedUsage(
            live_blobs=sum(each.live_blobs for each in objects),
            live_bytes=live_bytes,
            dead_bytes=stored_bytes - live_bytes,
            stored_bytes=stored_bytes,
        )


def _checksums(name: str, content: bytes) -> dict[str, int]:
    """What the object's table says, by key. If it cannot be read, the digests in the keys still prove the bodies."""
    try:
        return {part.key: part.checksum for part in parts_in(content)}
    except DamagedObject:
        logger.warning("an object's table is damaged; its blobs are moved by the index", extra={"object": name})
        return {}


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
