"""Which object each small body is in, and what is to be deleted: what every index of a bucket promises.

What it adds to the objects is what is *no longer* there. If lost, it is rebuilt from the objects, without what it adds.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from adapters.blobs.bucket.object_format import Part

SHARED = "segments"
"""The folder of the objects that bodies share."""

LATEST_ARRIVAL_SECONDS = 3_600
"""An object whose PUT failed may still be written by a server that was slow; for so long it is deleted again."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a blob is: in which object, and from which byte on."""

    object: str
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ObjectStanding:
    """What the index knows about one object that bodies share. `blobs`: how many were put into it."""

    name: str
    size_bytes: int
    blobs: int
    live_blobs: int
    live_bytes: int


@dataclass(frozen=True, slots=True)
class SharedUsage:
    """Over all objects that bodies share. `dead_bytes`: what is deleted next, and the tables."""

    live_blobs: int
    live_bytes: int
    dead_bytes: int
    stored_bytes: int


class BucketIndex(Protocol):
    """Blocking; can be used from any thread, and by several processes. What it has noted is durable.

    Raises: StorageFull, StorageUnavailable. Names are those of objects, in the bucket.
    """

    @property
    def owned_by(self) -> str:
        """What the index belongs to, for people: a bucket belongs to the same."""
        ...

    def find(self, key: str) -> Place | None: ...

    def present(self, keys: Sequence[str]) -> set[str]:
        """Those of these keys that are here, in one query."""
        ...

    def keys(self, beginning: str) -> Iterator[str]: ...

    def names(self, *, after: str, up_to: str | None) -> list[str]:
        """Those of the next objects in order, so many as are read at once; none if there are no more.

        `up_to`: the last one that is wanted.
        """
        ...

    def has(self, name: str) -> bool:
        """Whether it is one of these objects."""
        ...

    def known(self, names: Sequence[str]) -> set[str]:
        """Those that are here: with bodies, about to be written, or to be deleted."""
        ...

    def usage(self) -> SharedUsage: ...

    def with_dead_blobs(self) -> list[ObjectStanding]: ...

    def live_in(self, name: str) -> dict[str, Place]:
        """The blobs for which this object is needed, by their keys, in their order there."""
        ...

    def name_for_new(self) -> str:
        """The name of an object that this process is about to write. Nobody takes it for one that nobody needs."""
        ...

    def add(self, name: str, size_bytes: int, parts: Sequence[Part]) -> bool:
        """Index an object that this process has written, under a name from `name_for_new`.

        A key that is already here keeps its place; its second copy is dead from the beginning. Nothing is added, and
        the object is to be deleted, if the name was taken away meanwhile. When this raises, nothing is added, or it is
        not known.
        """
        ...

    def give_up(self, name: str) -> None:
        """The object is not needed, unless it was added: it is to be deleted, also if it arrives only later."""
        ...

    def adopt(self, name: str, size_bytes: int, parts: Sequence[Part]) -> int | None:
        """Index an object that was found in the bucket, as `add` does; returns how many of its blobs were nowhere else.

        None, and nothing is done, if it is known.
        """
        ...

    def name_for_moved(self, sources: Sequence[str]) -> str | None:
        """The name of an object to which this process is about to move what is live in these.

        None if one of them is not here any more: another process has moved it.
        """
        ...

    def replace(self, old: Sequence[str], name: str, size_bytes: int, parts: Sequence[Part]) -> bool:
        """What was live in the old objects is in a new one now; what was dropped meanwhile is dead there.

        The old ones are to be deleted. Nothing is done if the new one's name, from `name_for_moved`, was taken away.
        """
        ...

    def unfinished_moves(self) -> Mapping[str, Sequence[str]]:
        """Names from `name_for_moved` of which nothing more is known, with their sources."""
        ...

    def take_away(self, names: Sequence[str]) -> None:
        """Of these unfinished moves: the objects are to be deleted, whoever may be writing them."""
        ...

    def take_away_from_dead(self) -> None:
        """Objects that processes were writing which are gone are to be deleted: nobody was told of what is in them."""
        ...

    def let_go(self, moves: Sequence[str]) -> None:
        """Know nothing of these unfinished moves any more, nor of what processes were writing which are gone."""
        ...

    def drop(self, keys: Sequence[str]) -> None:
        """Forget these keys; their objects then have dead blobs."""
        ...

    def forget(self, names: Sequence[str]) -> int:
        """Forget these objects, which are not in the bucket; returns how many blobs are lost with them."""
        ...

    def doom_empty(self, names: Sequence[str]) -> None:
        """Note that these objects are to be deleted, in which nothing is live."""
        ...

    def doomed(self) -> list[str]:
        """What is to be deleted; what may still arrive is, again and again for a time."""
        ...

    def deleted(self, names: Sequence[str]) -> None:
        """These have been deleted from the bucket, and nothing is left to do but for those that may still arrive."""
        ...

    def was_deleted(self, names: Sequence[str]) -> set[str]:
        """Those that have been deleted and are not to be deleted again, as far as that is still known."""
        ...

    def revive(self, names: Sequence[str]) -> None:
        """Know nothing any more of these objects, which were to be deleted or have been: they can be adopted again."""
        ...

    def removing(self) -> AbstractContextManager[None]:
        """A block that one process is in at a time: two that moved the same object's blobs would do it twice."""
        ...

    def move_here(self) -> None:
        """Take over what an earlier version has in a file. For a process that owns the store; others refuse until
        then."""
        ...

    def owner(self) -> str | None:
        """What the marker in the bucket must say."""
        ...

    def set_owner(self, owner: str) -> None: ...

    def is_marked(self) -> bool:
        """Whether the marker has been seen in the bucket: since then it must be there."""
        ...

    def set_marked(self) -> None: ...

    def give_back(self) -> None:
        """Return to the disk what dropped keys have left of it."""
        ...

    def close(self) -> None: ...


def new_name() -> str:
    return f"{SHARED}/{uuid4()}"
