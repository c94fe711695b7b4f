"""How a chunk takes room in its project's quota of bytes: before it is read, or as it comes."""

from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass, replace

from adapters.blobs.port import StoredBlob
from domain.events import ChunkStored
from service.application.quotas import QuotaReached, Room

Check = Callable[[StoredBlob], None]
"""Gets the digests of bytes before anything is recorded, and refuses by raising."""


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a chunk as they come, and what checks them when all have come.

    `announced_bytes`: how many there will be, if that is known.
    """

    body: AsyncIterable[bytes]
    announced_bytes: int | None
    check: Check | None


async def within_room(room: Room, content: Content, *, stored: Callable[[], Awaitable[ChunkStored | None]]) -> Content:
    """The content, which takes room for itself. Chunks that are stored already need none: a client that did not hear so
    may send them again, however full the project is.

    `stored`: looks up the chunk of this number.

    Raises: QuotaReached, also when the body is read, or checked.
    """
    if await room.limit() is None:
        return content
    if content.announced_bytes is not None:
        return await _announced(room, content, content.announced_bytes, stored)
    known = await stored()
    known_bytes = 0 if known is None else known.size_bytes
    growing = replace(content, body=room.as_it_grows(content.body, beyond=known_bytes))
    try:
        await room.take(known_bytes)
    except QuotaReached as refusal:
        if known is None:
            raise
        return replace(growing, check=_same_or(refusal, known, content.check))
    return growing


async def _announced(
    room: Room, content: Content, size_bytes: int, stored: Callable[[], Awaitable[ChunkStored | None]]
) -> Content:
    try:
        await room.take(size_bytes)
    except QuotaReached as refusal:
        known = await stored()
        if known is None or known.size_bytes != size_bytes:
            raise
        return replace(content, check=_same_or(refusal, known, content.check))
    return content


def _same_or(refusal: QuotaReached, known: ChunkStored, check: Check | None) -> Check:
    """Bytes that are not the known ones would have needed room, too."""

    def check_both(blob: StoredBlob) -> None:
        if check is not None:
            check(blob)
        if blob.sha256 != known.sha256:
            raise refusal

    return check_both
