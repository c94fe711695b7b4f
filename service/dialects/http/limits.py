"""All limits on what a client may send, in one place, and how a body is read within them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import StreamReader, hdrs, web

from service.dialects.http.settings import HttpSettings

LINGERING_SECONDS = 1.0
"""How long a connection stays open after an answer sent before the body's end, so that the client can read it."""

KEEPALIVE_SECONDS = 75.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds from the first read of a body to its end."""

    chunk_bytes: int
    json_bytes: int
    header_bytes: int
    chunk_seconds: float
    json_seconds: float

    @classmethod
    def from_settings(cls, settings: HttpSettings) -> "Limits":
        return cls(
            chunk_bytes=settings.max_chunk_bytes,
            json_bytes=settings.max_json_bytes,
            header_bytes=settings.max_header_bytes,
            chunk_seconds=settings.chunk_seconds,
            json_seconds=settings.json_seconds,
        )

    async def json_body(self, request: web.Request) -> bytes:
        """A body that should be JSON, whole. Raises: as `body_pieces`."""
        return await whole_body(request, limit_bytes=self.json_bytes, seconds=self.json_seconds)

    def chunk_pieces(self, request: web.Request) -> AsyncIterator[bytes]:
        """A chunk's body as it arrives. Raises: BodyTooLarge by its Content-Length; iterated, as `body_pieces`."""
        check_announced_size(request, self.chunk_bytes)
        return body_pieces(request, limit_bytes=self.chunk_bytes, seconds=self.chunk_seconds)


class BodyTooLarge(Exception):
    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The body is larger than the {limit_bytes} bytes allowed here.")


class BodyTooSlow(Exception):
    def __init__(self, seconds: float) -> None:
        super().__init__(f"The body did not arrive within {seconds:g} seconds; send it again.")


class BodyCutOff(Exception):
    def __init__(self) -> None:
        super().__init__("The connection ended before the body did, and none of it was stored; send it again.")


def check_announced_size(request: web.Request, limit_bytes: int) -> None:
    """Refuse by the Content-Length, before anything is read. Raises: BodyTooLarge."""
    if request.content_length is not None and request.content_length > limit_bytes:
        raise BodyTooLarge(limit_bytes)


async def continue_later(_: web.Request) -> None:
    """An expect handler that lets the request's own handler send `100 Continue`, once it wants the body."""


def tell_to_continue(request: web.Request) -> None:
    """Ask for the body of a client that waits to be asked (Expect: 100-continue)."""
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def body_pieces(request: web.Request, *, limit_bytes: int, seconds: float) -> AsyncIterator[bytes]:
    """The body as it arrives, a piece at a time. Raises: BodyTooLarge, BodyTooSlow, BodyCutOff."""
    check_announced_size(request, limit_bytes)
    # One timer for the whole body, which ends the wait for the next piece: a timeout around each piece costs more.
    too_late = asyncio.get_running_loop().call_later(seconds, _end_the_wait, request.content, seconds)
    size_bytes = 0
    try:
        while True:
            try:
                piece = await request.content.readany()
            except (ConnectionError, web.RequestPayloadError):
                raise BodyCutOff from None
            if not piece:
                return
            size_bytes += len(piece)
            if size_bytes > limit_bytes:
                raise BodyTooLarge(limit_bytes)
            yield piece
    finally:
        too_late.cancel()


def _end_the_wait(content: StreamReader, seconds: float) -> None:
    content.set_exception(BodyTooSlow(seconds))


async def whole_body(request: web.Request, *, limit_bytes: int, seconds: float) -> bytes:
    """A body small enough to be held in memory. Raises: as `body_pieces`."""
    pieces = [piece async for piece in body_pieces(request, limit_bytes=limit_bytes, seconds=seconds)]
    return b"".join(pieces)
