"""Content codings of request bodies (RFC 9110, 8.4): gzip and deflate are decoded as they arrive, others refused.

Nothing is decoded further ahead than its reader has read, so a bomb costs no more than the reader's limit.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from aiohttp import hdrs, web
from aiohttp.http_exceptions import LineTooLong

DECODED = "gzip, deflate"
"""What is decoded, as an Accept-Encoding header says it."""

_GZIP, _ZLIB = 31, 15
"""What tells `zlib` which frame is around the compressed bytes, with a checksum in it."""

_FRAMES = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}
_NO_CODINGS = {"", "identity", "utf-8", "utf8", "binary", "8bit", "7bit"}
"""Besides `identity`, what clients write that mean a charset or a transfer encoding: none of them changes the bytes."""

_MOST_AT_ONCE = 256 * 1024
_FIXED_OVERHEAD = 1024


class CodingNotDecoded(Exception):
    """The body has a coding that is not decoded here, or several."""

    def __init__(self, given: str) -> None:
        shown = given if len(given) <= 40 else given[:40] + "…"  # noqa: PLR2004 - enough to know it by
        super().__init__(
            f"The Content-Encoding {shown!r} is not decoded here; send the body as gzip, or without a coding."
        )


class CodedBodyDamaged(Exception):
    def __init__(self, coding: str) -> None:
        super().__init__(f"The {coding} body is damaged or incomplete, and none of it was stored; send it again.")


def coding_of(request: web.Request) -> str | None:
    """The coding of the request's body; None if it has none. Raises: CodingNotDecoded."""
    if hdrs.CONTENT_ENCODING not in request.headers:
        return None
    given = ", ".join(request.headers.getall(hdrs.CONTENT_ENCODING))
    codings = [coding for part in given.split(",") if (coding := part.strip().lower()) not in _NO_CODINGS]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in _FRAMES:
        raise CodingNotDecoded(given)
    return codings[0]


def largest_coded(decoded_bytes: int) -> int:
    """The most bytes that a reasonable client sends for `decoded_bytes`: what cannot be compressed grows a little."""
    return decoded_bytes + decoded_bytes // 256 + _FIXED_OVERHEAD


async def decoded(pieces: AsyncGenerator[bytes], coding: str) -> AsyncGenerator[bytes]:
    """The bytes that `pieces` encode, in pieces of at most 256 KiB. A body without any bytes is one without a coding.

    Raises: CodedBodyDamaged, also when the end is missing or its checksum is wrong; what `pieces` raise.
    """
    decoder = None
    async with aclosing(pieces):
        async for piece in pieces:
            rest = piece
            while rest:
                if decoder is None or (decoder.eof and coding != "deflate"):  # gzip bodies may follow one another
                    decoder = zlib.decompressobj(_FRAMES[coding])
                data, rest = _step(decoder, rest, coding)
                if data:
                    yield data
                    await asyncio.sleep(0)  # a small piece may hold a thousand times its size
    if decoder is not None and not decoder.eof:
        raise CodedBodyDamaged(coding)


def _step(decoder: "zlib._Decompress", coded: bytes, coding: str) -> tuple[bytes, bytes]:
    """The next decoded bytes, and what of `coded` is left. Raises: CodedBodyDamaged."""
    if decoder.eof:
        raise CodedBodyDamaged(coding)
    try:
        data = decoder.decompress(coded, _MOST_AT_ONCE)
    except zlib.error:
        raise CodedBodyDamaged(coding) from None
    return data, decoder.unconsumed_tail or decoder.unused_data


class DecodedStream:
    """As much of aiohttp's StreamReader as a reader of forms needs, over decoded pieces."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._ahead = bytearray()
        self._has_ended = False

    async def read(self, size: int) -> bytes:
        if not self._ahead:
            await self._read_on()
        return self._taken(size)

    async def readline(self, *, max_line_length: int) -> bytes:
        """Raises: LineTooLong."""
        while (end := self._ahead.find(b"\n", 0, max_line_length)) < 0 and not self._has_ended:
            if len(self._ahead) >= max_line_length:
                raise LineTooLong(bytes(self._ahead[:100]), max_line_length)
            await self._read_on()
        return self._taken(len(self._ahead) if end < 0 else end + 1)

    def unread_data(self, data: bytes) -> None:
        self._ahead[:0] = data

    def at_eof(self) -> bool:
        return self._has_ended and not self._ahead

    async def _read_on(self) -> None:
        piece = await anext(self._pieces, None)
        self._has_ended = piece is None
        self._ahead += piece or b""

    def _taken(self, size: int) -> bytes:
        data = bytes(self._ahead[:size])
        del self._ahead[:size]
        return data
