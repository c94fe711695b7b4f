"""How a chunk takes room in its project's quota of bytes: before it is read, or as it comes."""

from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import suppress
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
    announced_bytes = content.announced_bytes
    if not room.is_limited:
        return content
    if announced_bytes is not None:
        with suppress(QuotaReached):
            room.take(announced_bytes)
            return content
    known = await stored()
    if known is None or announced_bytes not in (None, known.size_bytes):
        room.take(announced_bytes or 0)
        return replace(content, body=room.as_it_grows(content.body, beyond=announced_bytes or 0))
    body = room.as_it_grows(content.body, beyond=known.size_bytes)
    return replace(content, body=body, check=_same_or_room(known, room, content.check))


def _same_or_room(known: ChunkStored, room: Room, check: Check | None) -> Check:
    """Bytes that are not the known ones need room, too."""

    def check_both(blob: StoredBlob) -> None:
        if check is not None:
            check(blob)
        if blob.sha256 != known.sha256:
            room.take(blob.size_bytes)

    return check_both
