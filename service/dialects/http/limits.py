"""All limits on what a client may send, in one place, and how a body is read within them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Protocol, Self

from aiohttp import StreamReader, hdrs, web

from service.dialects.http.content_codings import coding_of, decoded, largest_coded
from service.dialects.http.forms import Pieces, check_announces_no_form, check_is_no_form, no_form
from service.dialects.http.held_bytes import GaveWay, HeldBytes, Hold, hold_of
from service.dialects.http.settings import HttpSettings

LINGERING_SECONDS = 1.0
"""How long a connection stays open after an answer sent before the body's end, so that the client can read it."""

KEEPALIVE_SECONDS = 75.0

READ_AHEAD_BYTES = 64 * 1024
"""Of each body. While its handler does other things, a connection is read until there is twice as much."""

HELD_BODY = web.RequestKey("held_body", bytes)
"""A JSON body that was read before the request's handler asks for it."""

BARE_BYTES = "the recording's bytes alone as the body of the PUT"


class Digest(Protocol):
    """What takes the bytes of a body as they pass."""

    def update(self, data: bytes, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds from the first read of a body to its end. `held`: what all bodies share that are
    held in memory; a recording's bytes are not, they are written as they arrive."""

    held: HeldBytes
    chunk_bytes: int
    json_bytes: int
    header_bytes: int
    chunk_seconds: float
    json_seconds: float

    @classmethod
    def from_settings(cls, settings: HttpSettings) -> "Limits":
        return cls(
            held=HeldBytes(settings.held_bytes),
            chunk_bytes=settings.max_chunk_bytes,
            json_bytes=settings.max_json_bytes,
            header_bytes=settings.max_header_bytes,
            chunk_seconds=settings.chunk_seconds,
            json_seconds=settings.json_seconds,
        )

    async def json_body(
        self, request: web.Request, *, limit_bytes: int | None = None, seconds: float | None = None
    ) -> bytes:
        """A body that should be JSON, whole. `limit_bytes`, `seconds`: where a call has limits of its own.

        Raises: FormNotTaken; as `whole_body`.
        """
        held: bytes | None = request.get(HELD_BODY)
        if held is not None:
            return held
        limit_bytes, seconds = limit_bytes or self.json_bytes, seconds or self.json_seconds
        body = await self.whole_body(request, limit_bytes=limit_bytes, seconds=seconds)
        check_is_no_form(body, "JSON")
        return body

    async def whole_body(self, request: web.Request, *, limit_bytes: int, seconds: float) -> bytes:
        """A body that is held in memory, and counts as held until the request's end: see `hold_of`.

        Raises: TooMuchHeld, before it is read where its size is announced; as `body_pieces`.
        """
        self.admit(request, limit_bytes)
        pieces: list[bytes] = []
        with self.holding(request) as holds:
            async for piece in body_pieces(request, limit_bytes=limit_bytes, seconds=seconds):
                holds(len(piece))
                pieces.append(piece)
        return b"".join(pieces)

    def admit(self, request: web.Request, limit_bytes: int) -> Hold:
        """Make room for a body by its Content-Length, before anything of it is read.

        Raises: BodyTooLarge; CodingNotDecoded; TooMuchHeld.
        """
        check_announced_size(request, limit_bytes)
        hold = hold_of(request, self.held)
        hold.reserve(announced_bytes(request) or 0)
        return hold

    @contextmanager
    def holding(self, request: web.Request) -> Iterator[Callable[[int], None]]:
        """While bytes of the request's body are collected: tell what is given of each piece.

        Raises what that raises: TooMuchHeld.
        """
        hold, size_bytes = hold_of(request, self.held), 0

        def more(piece_bytes: int) -> None:
            nonlocal size_bytes
            size_bytes += piece_bytes
            hold.reserve(size_bytes)

        with hold.moving(lambda: size_bytes, lambda: request.content.set_exception(GaveWay())):
            yield more

    def chunk_pieces(self, request: web.Request, *, as_sent: Digest | None = None) -> AsyncIterator[bytes]:
        """A chunk's bytes as they arrive, which are the body and no form around it.

        Raises: FormNotTaken; as `body_pieces`.
        """
        check_announces_no_form(request, BARE_BYTES)
        pieces = body_pieces(request, limit_bytes=self.chunk_bytes, seconds=self.chunk_seconds, as_sent=as_sent)
        return no_form(pieces, BARE_BYTES)


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
    """Refuse by the Content-Length, before anything is read. Raises: BodyTooLarge; CodingNotDecoded."""
    largest = limit_bytes if coding_of(request) is None else largest_coded(limit_bytes)
    announced = request.content_length
    if announced is not None and announced > largest:
        raise BodyTooLarge(limit_bytes)


def announced_bytes(request: web.Request) -> int | None:
    """How many bytes the body will have when it is decoded, if that is known. Raises: CodingNotDecoded."""
    return request.content_length if coding_of(request) is None else None


async def continue_later(_: web.Request) -> None:
    """An expect handler that lets the request's own handler send `100 Continue`, once it wants the body."""


def waits_to_be_asked(request: web.Request) -> bool:
    """Whether the client sends its body only when it is told to (Expect: 100-continue)."""
    return request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"


def tell_to_continue(request: web.Request) -> None:
    """Ask for the body of a client that waits to be asked."""
    if waits_to_be_asked(request) and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def body_pieces(request: web.Request, *, limit_bytes: int, seconds: float, as_sent: Digest | None = None) -> Pieces:
    """The body as it arrives, a piece at a time, decoded if it has a content coding.

    `limit_bytes` is for what is decoded. `as_sent` is told the bytes before they are decoded.

    Raises, at once: BodyTooLarge by the Content-Length, CodingNotDecoded; iterated: BodyTooLarge, BodyTooSlow,
    BodyCutOff, CodedBodyDamaged.
    """
    check_announced_size(request, limit_bytes)
    coding = coding_of(request)
    if coding is None and as_sent is None and _has_arrived(request.content):
        return _Arrived(request.content, limit_bytes)
    if coding is None:
        return _sent_pieces(request, limit_bytes, limit_bytes, seconds, as_sent)
    sent = _sent_pieces(request, largest_coded(limit_bytes), limit_bytes, seconds, as_sent)
    return _within(limit_bytes, decoded(sent, coding))


def _has_arrived(content: StreamReader) -> bool:
    """Whether all of it has, and not only what came before something went wrong."""
    return content.is_eof() and content.exception() is None


class _Arrived:
    """A body of which all has arrived, so that nothing is waited for. No generator: the event loop keeps account of
    those, which costs more than this does. Raises: BodyTooLarge; BodyCutOff."""

    def __init__(self, content: StreamReader, most_bytes: int) -> None:
        self._content = content
        self._most_bytes = most_bytes
        self._size_bytes = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._content.at_eof():
            raise StopAsyncIteration
        try:
            piece = self._content.read_nowait()
        except (ConnectionError, web.RequestPayloadError):
            raise BodyCutOff from None
        self._size_bytes += len(piece)
        if self._size_bytes > self._most_bytes:
            raise BodyTooLarge(self._most_bytes)
        return piece

    async def aclose(self) -> None:
        """There is nothing to let go."""


async def _within(limit_bytes: int, pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Raises: BodyTooLarge; what `pieces` raise."""
    size_bytes = 0
    async with aclosing(pieces):
        async for piece in pieces:
            size_bytes += len(piece)
            if size_bytes > limit_bytes:
                raise BodyTooLarge(limit_bytes)
            yield piece


async def _sent_pieces(
    request: web.Request, most_bytes: int, limit_bytes: int, seconds: float, as_sent: Digest | None
) -> AsyncGenerator[bytes]:
    """At most `most_bytes`. Raises: BodyTooLarge, which names `limit_bytes`; BodyTooSlow; BodyCutOff."""
    # One timer for the whole body, which ends the wait for the next piece: a timeout around each piece costs more.
    # None for a body that has arrived already.
    too_late = None
    if not request.content.is_eof():
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
            if size_bytes > most_bytes:
                raise BodyTooLarge(limit_bytes)
            if as_sent is not None:
                as_sent.update(piece)
            yield piece
            del piece  # an error that the connection keeps holds this frame
    finally:
        if too_late is not None:
            too_late.cancel()


def _end_the_wait(content: StreamReader, seconds: float) -> None:
    content.set_exception(BodyTooSlow(seconds))
