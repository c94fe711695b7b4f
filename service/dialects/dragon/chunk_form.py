"""The multipart form of a chunk, read as it streams in: `metadata` first, then at most one `content` (P).

aiohttp's reader does the parsing. What it reads from is bounded here, in bytes and in time, so that no form (an endless
preamble, endless parts, endless part headers) costs more than its limit.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

from aiohttp import BodyPartReader, MultipartReader, StreamReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from service.dialects.dragon.requests import InvalidRequest
from service.dialects.http.content_codings import DecodedStream, coding_of, decoded, largest_coded
from service.dialects.http.held_bytes import let_go
from service.dialects.http.limits import BodyCutOff, BodyTooLarge, BodyTooSlow, Limits, check_announced_size

FRAME_BYTES = 64 * 1024
"""What a form may contain around its two parts: boundaries and part headers."""

LINES = 64
"""How many lines a form may have around its two parts, so that empty lines cannot keep the service busy."""

PART_HEADERS = 16
PART_HEADER_BYTES = 4 * 1024
PIECE_BYTES = 64 * 1024
_PLAIN_ENCODINGS = ("binary", "8bit", "7bit")
T = TypeVar("T")


class ChunkForm:
    """One request's form. `metadata` first, then `content`, each once. Raises: InvalidRequest; what bodies raise."""

    def __init__(self, request: web.Request, limits: Limits) -> None:
        self._request = request
        self._limits = limits
        largest_frame = limits.json_bytes + FRAME_BYTES
        check_announced_size(request, limits.chunk_bytes + largest_frame)
        self._coding = coding_of(request)
        stream = _decoded(request.content, self._coding, limits.chunk_bytes + largest_frame)
        self._body = _BoundedBody(stream, limits, limit_bytes=largest_frame)
        if request.content_type != "multipart/form-data":
            raise InvalidRequest("The body must be multipart/form-data")
        with _form_errors():
            self._parts = MultipartReader(
                request.headers,
                cast("StreamReader", self._body),
                max_field_size=PART_HEADER_BYTES,
                max_headers=PART_HEADERS,
            )

    async def metadata(self) -> bytes:
        """The first part, whole: nothing but `metadata` may come first. Raises: TooMuchHeld."""
        part = await self._next_part()
        if part is None:
            raise InvalidRequest("The form has no metadata part")
        if part.name != "metadata":
            raise InvalidRequest("The form's first part must be metadata")
        metadata = bytearray()
        with self._limits.holding(self._request) as holds:
            async for piece in _pieces(part):
                holds(len(piece))
                metadata += piece
                if len(metadata) > self._limits.json_bytes:
                    raise BodyTooLarge(self._limits.json_bytes)
        let_go(self._request)  # it is parsed at once, and the content is not held
        return bytes(metadata)

    async def content(self) -> AsyncIterator[bytes] | None:
        """The bytes of the second part; None if there is none, or if it is empty.

        The iteration ends without an error only if the form is complete: a truncated body is never taken for a chunk.
        """
        self._body.limit_bytes += self._limits.chunk_bytes
        part = await self._next_part()
        if part is None:
            return None
        if part.name != "content":
            raise InvalidRequest("The form's second part must be content")
        pieces = self._content(part)
        first = await anext(pieces, b"")
        return _with_first(first, pieces) if first else None

    async def _content(self, part: BodyPartReader) -> AsyncIterator[bytes]:
        size_bytes = 0
        async for piece in _pieces(part):
            size_bytes += len(piece)
            if size_bytes > self._limits.chunk_bytes:
                raise BodyTooLarge(self._limits.chunk_bytes)
            if piece:
                yield piece
        if await self._next_part() is not None:
            raise InvalidRequest("The form has more parts than metadata and content")

    async def _next_part(self) -> BodyPartReader | None:
        with _form_errors():
            part = await self._parts.next()
        if part is None:
            await self._check_the_codings_end()
            return None
        if not isinstance(part, BodyPartReader):
            raise InvalidRequest("A part of the form must not be a form itself")
        encodings = (part.headers.get(hdrs.CONTENT_ENCODING), part.headers.get(hdrs.CONTENT_TRANSFER_ENCODING))
        if any(encoding and encoding.lower() not in _PLAIN_ENCODINGS for encoding in encodings):
            raise InvalidRequest("A part of the form must not be encoded")
        return part

    async def _check_the_codings_end(self) -> None:
        """What is compressed ends with its checksum, behind the form's own end. Raises: CodedBodyDamaged."""
        while self._coding is not None and await self._body.read(PIECE_BYTES):
            pass


async def _pieces(part: BodyPartReader) -> AsyncIterator[bytes]:
    while not part.at_eof():
        with _form_errors():
            piece = await part.read_chunk(PIECE_BYTES)
        yield piece


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


@contextmanager
def _form_errors() -> Iterator[None]:
    """What aiohttp's reader raises for an invalid form. (Mostly ValueError.)"""
    try:
        yield
    except (ValueError, RuntimeError, HttpProcessingError, AssertionError):
        raise InvalidRequest("The body is not a complete multipart form") from None


def _decoded(stream: StreamReader, coding: str | None, largest_bytes: int) -> StreamReader | DecodedStream:
    if coding is None:
        return stream
    return DecodedStream(decoded(_sent_pieces(stream, largest_bytes), coding))


async def _sent_pieces(stream: StreamReader, limit_bytes: int) -> AsyncGenerator[bytes]:
    """Raises: BodyTooLarge for a body so large that its form must be, too."""
    size_bytes = 0
    while piece := await stream.readany():
        size_bytes += len(piece)
        if size_bytes > largest_coded(limit_bytes):
            raise BodyTooLarge(limit_bytes)
        yield piece


class _BoundedBody:
    """As much of a StreamReader as aiohttp's multipart reader needs, within `limit_bytes` and the time for a chunk."""

    def __init__(self, stream: StreamReader | DecodedStream, limits: Limits, *, limit_bytes: int) -> None:
        self._stream = stream
        self._seconds = limits.chunk_seconds
        self._deadline = asyncio.get_running_loop().time() + limits.chunk_seconds
        self._read_bytes = 0
        self._lines_left = LINES
        self.limit_bytes = limit_bytes

    async def read(self, size: int) -> bytes:
        return await self._bounded(self._stream.read(size))

    async def readline(self, *, max_line_length: int | None = None) -> bytes:
        self._lines_left -= 1
        if self._lines_left < 0:
            raise InvalidRequest(f"The form has more than {LINES} lines around its parts")
        longest = PART_HEADER_BYTES if max_line_length is None else max_line_length
        return await self._bounded(self._stream.readline(max_line_length=longest))

    async def _bounded(self, reading: Awaitable[bytes]) -> bytes:
        try:
            async with asyncio.timeout_at(self._deadline):
                data = await reading
        except TimeoutError:
            raise BodyTooSlow(self._seconds) from None
        except (ConnectionError, web.RequestPayloadError):
            raise BodyCutOff from None
        self._read_bytes += len(data)
        if self._read_bytes > self.limit_bytes:
            raise BodyTooLarge(self.limit_bytes)
        return data

    def unread_data(self, data: bytes) -> None:
        self._read_bytes -= len(data)
        self._stream.unread_data(data)

    def at_eof(self) -> bool:
        return self._stream.at_eof()
