"""An extension of the port: a body that is taken in now and made durable later, together with what is said about it.

So bytes and the events that speak of them can share one commit. A store that cannot do so has made the body durable
when it gives it out.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast

from adapters.blobs.store import BlobNotFound, BlobStore, StoredBlob


class Staged(Protocol):
    """A body that has been taken in. `keeper` makes it durable, together with others; None: it is durable already."""

    @property
    def blob(self) -> StoredBlob: ...

    @property
    def size_bytes(self) -> int: ...

    @property
    def keeper(self) -> "Keeper | None": ...


class Keeper(Protocol):
    """Whoever keeps bodies that have been staged."""

    def make_durable(self, bodies: Sequence[Any], /) -> Sequence[Exception | None]:
        """Make these bodies of its own durable at one go. Blocking. Says for each what kept it from that, if anything.

        A body that failed counts as never stored. One that is never made durable was never stored either.
        """
        ...


class StagingStore(Protocol):
    """A store whose small bodies become durable together."""

    def stage(
        self,
        prefix: str,
        body: AsyncIterable[bytes],
        *,
        limit_bytes: int | None = None,
        announced_bytes: int | None = None,
        check: Callable[[StoredBlob], None] | None = None,
    ) -> AbstractAsyncContextManager[Staged]:
        """Take a body in as `put` does, but for its durability; its share of the waiting bytes ends with the block.

        `announced_bytes`: how large the body is going to be, where that is known.
        """
        ...


def staged(
    store: BlobStore,
    prefix: str,
    body: AsyncIterable[bytes],
    *,
    announced_bytes: int | None = None,
    check: Callable[[StoredBlob], None] | None = None,
) -> AbstractAsyncContextManager[Staged]:
    """`stage` of any store. Raises: as `put`."""
    if hasattr(store, "stage"):
        return cast("StagingStore", store).stage(prefix, body, announced_bytes=announced_bytes, check=check)
    return _put(store, prefix, body, check)


async def discard(store: BlobStore, body: Staged) -> None:
    """Remove a body that nothing will ever speak of. Raises: StorageUnavailable.

    One that was to become durable with its event may be a blob already, when that commit failed after its bytes.
    """
    if body.keeper is not None:
        try:
            await store.size(body.blob.key)
        except BlobNotFound:
            return  # as nearly always, and finding out costs less than erasing
    await store.delete(body.blob.key)


@asynccontextmanager
async def _put(
    store: BlobStore, prefix: str, body: AsyncIterable[bytes], check: Callable[[StoredBlob], None] | None
) -> AsyncIterator[Staged]:
    yield DurableBlob(await store.put(prefix, body, check=check))


@dataclass(frozen=True, slots=True)
class DurableBlob:
    """A staged body that is a blob already."""

    blob: StoredBlob
    keeper: None = None

    @property
    def size_bytes(self) -> int:
        return self.blob.size_bytes
