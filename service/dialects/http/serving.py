"""Answers with a blob's bytes: all, or a range of them (RFC 9110, section 14)."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ServedBlob:
    """`sha256` becomes the ETag: the bytes of a blob never change."""

    key: str
    size_bytes: int
    sha256: str
    content_type: str
    file_name: str


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


async def serve_blob(request: web.Request, read: ReadBlob, blob: ServedBlob) -> web.StreamResponse:
    """The blob, or the part of it that the request's Range and conditions select. Raises: BlobNotFound."""
    etag = f'"{blob.sha256}"'
    headers = {
        "Content-Type": blob.content_type,
        "Content-Disposition": f'attachment; filename="{blob.file_name}"',
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-transform",
        "X-Content-Type-Options": "nosniff",
    }
    if etag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    asked = request.headers.get("Range") if request.headers.get("If-Range", etag) == etag else None
    try:
        part = requested_range(asked, blob.size_bytes)
    except RangeNotSatisfiable:
        return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{blob.size_bytes}"})
    if part is None:
        status, part = 200, ByteRange(0, blob.size_bytes)
    else:
        status = 206
        headers["Content-Range"] = f"bytes {part.start}-{part.start + part.length - 1}/{blob.size_bytes}"
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = part.length
    await response.prepare(request)
    if request.method != "HEAD":
        async for block in read(blob.key, start=part.start, length=part.length):
            await response.write(block)
    await response.write_eof()
    return response
