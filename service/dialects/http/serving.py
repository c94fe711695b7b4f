"""Answers with the bytes of blobs: all, or a range of them (RFC 9110, section 14)."""

import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from adapters.blobs.port import BlobFailure
from service.dialects.http.tracing import CLIENT_GONE, STATUS_TOLD

logger = logging.getLogger(__name__)
_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """One blob of what is served."""

    key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ServedBytes:
    """Blobs that are served one after another, as one. `etag`: stands for these very bytes, such as their digest."""

    parts: Sequence[Part]
    etag: str
    content_type: str
    file_name: str

    @property
    def size_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)

    def selected(self, asked: "ByteRange") -> Iterator[tuple[str, "ByteRange"]]:
        """The key of each blob that has some of the bytes asked for, and which of its own bytes these are."""
        begins, end = 0, asked.start + asked.length
        for part in self.parts:
            start, stop = max(asked.start - begins, 0), min(end - begins, part.size_bytes)
            if start < stop:
                yield part.key, ByteRange(start, stop - start)
            begins += part.size_bytes


@dataclass(frozen=True, slots=True)
class ByteRange:
    start: int
    length: int


class ReadBlob(Protocol):
    def __call__(self, key: str, /, *, start: int, length: int | None) -> AsyncIterator[bytes]:
        """Stream `length` bytes of a blob from `start`. Raises: BlobNotFound when iterated, before the first block."""
        ...


class RangeNotSatisfiable(Exception):
    """The range begins after the end."""


def requested_range(header: str | None, size_bytes: int) -> ByteRange | None:
    """The one range that a Range header asks for; None for the whole, also if the header cannot be understood.

    Several ranges at once are answered with the whole, which the RFC allows. Raises: RangeNotSatisfiable.
    """
    match = _ONE_RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        length = min(int(match[2]), size_bytes)
        if length == 0:
            raise RangeNotSatisfiable
        return ByteRange(size_bytes - length, length)
    start, end = int(match[1]), int(match[2]) if match[2] else size_bytes - 1
    if end < start and match[2]:
        return None
    if start >= size_bytes:
        raise RangeNotSatisfiable
    return ByteRange(start, min(end, size_bytes - 1) - start + 1)


async def serve_bytes(request: web.Request, read: ReadBlob, served: ServedBytes) -> web.StreamResponse:
    """The bytes, or those that the request's Range and conditions select.

    Raises: BlobNotFound, if the first of them are gone. If later ones are, or if the client goes away, the answer ends
    early, and the request's status is told as what came of it: see `tracing.STATUS_TOLD`.
    """
    etag = f'"{served.etag}"'
    headers = {
        "Content-Type": served.content_type,
        "Content-Disposition": f'attachment; filename="{served.file_name}"',
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-transform",
        "X-Content-Type-Options": "nosniff",
    }
    if any(known.value in (served.etag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    asked = request.headers.get("Range") if request.headers.get("If-Range", etag) == etag else None
    try:
        part = requested_range(asked, served.size_bytes)
    except RangeNotSatisfiable:
        return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{served.size_bytes}"})
    if part is None:
        status, part = 200, ByteRange(0, served.size_bytes)
    else:
        status = 206
        headers["Content-Range"] = f"bytes {part.start}-{part.start + part.length - 1}/{served.size_bytes}"
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = part.length
    await _send(request, response, _read(read, served, part))
    return response


async def _read(read: ReadBlob, served: ServedBytes, asked: ByteRange) -> AsyncGenerator[bytes]:
    for key, part in served.selected(asked):
        async for block in read(key, start=part.start, length=part.length):
            yield block


async def _send(request: web.Request, response: web.StreamResponse, blocks: AsyncGenerator[bytes]) -> None:
    """The first block is read before the status is sent, so that bytes that are gone can still be told of."""
    async with aclosing(blocks):
        block = await anext(blocks, b"")
        try:
            await response.prepare(request)
            if request.method != "HEAD":
                await response.write(block)
                async for block in blocks:
                    await response.write(block)
            await response.write_eof()
        except ConnectionError:
            _end_early(request, response, CLIENT_GONE)
        except BlobFailure as failure:
            logger.warning("the rest of an answer cannot be had", extra={"because": str(failure)})
            _end_early(request, response, HTTPStatus.INTERNAL_SERVER_ERROR)


def _end_early(request: web.Request, response: web.StreamResponse, status: int) -> None:
    """What was sent stays, and the connection ends with it, so that the answer's length tells."""
    request[STATUS_TOLD] = status
    response.force_close()
