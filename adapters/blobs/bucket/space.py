"""Deletes for real. An object store punches no holes: what is live in an object with dead blobs moves to a new one.

At any moment one new object, of at most MOST_BYTES, exists beside the old ones. Each step is noted in the index before
it is done and struck out afterwards: a crash anywhere leaves work to be repeated, never bytes that nobody knows of.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence

from adapters.blobs.bucket.bucket import Bucket
from adapters.blobs.bucket.index import BucketIndex, ObjectStanding
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

logger = logging.getLogger(__name__)


class ObjectSpace:
    """Blocking; called by one thread at a time. Raises: StorageFull, StorageUnavailable."""

    def __init__(self, bucket: Bucket, index: BucketIndex) -> None:
        self._bucket = bucket
        self._index = index

    def remove_dead(self) -> None:
        """Nothing dead is in the bucket any more when this returns.

        If an object lacks a body that is live, it is left as it is, the others are done, and this raises.
        """
        with self._index.removing():
            self._remove_dead()

    def _remove_dead(self) -> None:
        check_own(self._bucket, self._index)
        self._index.take_away_from_dead()
        self._index.take_away(unreplaced(self._bucket, self._index.unfinished_moves()))
        self._delete_doomed()
        lacking: set[str] = set()
        while objects := [
            each for each in self._index.with_dead_blobs() if not each.live_blobs or each.name not in lacking
        ]:
            empty = [each.name for each in objects if not each.live_blobs]
            self._index.doom_empty(empty)
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
        if not bodies:
            self._index.doom_empty(moved)
            return lacking
        content, parts = laid_out(bodies)
        new = self._index.name_for_moved(moved)
        if new is None:
            return lacking
        self._bucket.put(new, content)
        if not self._index.replace(moved, new, len(content), parts):
            self._index.give_up(new)
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


def unreplaced(bucket: Bucket, moves: Mapping[str, Sequence[str]]) -> list[str]:
    """Those of these unfinished moves of which every source is still in the bucket.

    If one is not, the index is older than the bucket, as one from a backup is: what was moved may be nowhere else.
    """
    return [name for name, sources in moves.items() if all(map(bucket.has, sources))]


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
