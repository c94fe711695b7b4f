"""Bota's chunks and files, which come by PUT of a signed URL.

Source: REFERENCE.md, "Streaming recording"; our own additions (D) are marked below.
"""

import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from aiohttp import web

from adapters.blobs.port import StoredBlob
from domain.errors import ChunkNumberOutOfRange
from service.application.uploads import Uploads
from service.dialects.bota.requests import InvalidRequest
from service.dialects.bota.upload_urls import PATH, UploadUrls
from service.dialects.http.content_codings import coding_of
from service.dialects.http.limits import Limits, announced_bytes, continue_later, tell_to_continue, waits_to_be_asked

_CHUNK_FILE = re.compile(r"chunk_(.*)\.[a-z0-9]+", re.ASCII)
_PART = re.compile(r"[0-9]{1,9}", re.ASCII)


class ChunkPuts:
    """The handler."""

    def __init__(self, uploads: Uploads, urls: UploadUrls, limits: Limits) -> None:
        self._uploads = uploads
        self._urls = urls
        self._limits = limits

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_put(PATH, self.put_chunk, expect_handler=continue_later)

    async def put_chunk(self, request: web.Request) -> web.Response:
        """PUT of the template with a part number. The answer comes when the bytes and the event are durable.

        (D) 200 with the stored bytes' MD5 as ETag, as object stores do; `Content-MD5` is checked when sent, and covers
        the body as sent (RFC 1864), with its content coding. A file of another size than was announced is stored, too.
        """
        allowed = self._urls.check(request)
        recording_id = allowed.recording_id
        opened = await self._uploads.opened(recording_id)
        await self._urls.check_maker(allowed, opened)
        number = _part_number(request.match_info["file"], opened.max_chunks)
        as_sent = hashlib.md5(usedforsecurity=False) if coding_of(request) else None
        check = _chunk_check(request.headers.get("Content-MD5"), as_sent)
        body = self._limits.chunk_pieces(request, as_sent=as_sent)
        if waits_to_be_asked(request):
            body = _asked_for(request, body)
        blob = await self._uploads.store_chunk(
            recording_id,
            number,
            body,
            tenant_id=opened.tenant_id,
            announced_bytes=announced_bytes(request),
            expected_bytes=allowed.expected_bytes,
            check=check,
        )
        return web.Response(headers={"ETag": f'"{blob.md5}"'})


async def _asked_for(request: web.Request, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body, once somebody wants it: a client that waits to be asked sends nothing that would be refused."""
    tell_to_continue(request)
    async for piece in body:
        yield piece


def _part_number(file_name: str, max_chunks: int) -> int:
    """The part that a chunk's file name names. Raises: InvalidRequest, ChunkNumberOutOfRange."""
    match = _CHUNK_FILE.fullmatch(file_name)
    part = match[1] if match else file_name
    if not match or not _PART.fullmatch(part):
        raise InvalidRequest("part", f"Put a number from 1 to {max_chunks} in place of {{part}}, not {part[:40]!r}.")
    number = int(part)
    if not 1 <= number <= max_chunks:
        raise ChunkNumberOutOfRange(number, max_chunks)
    return number


def _chunk_check(content_md5: str | None, as_sent: "hashlib._Hash | None") -> Callable[[StoredBlob], None]:
    """The check on a chunk's bytes before they are published. `as_sent`: the MD5 of the body, if it had a coding.

    Raises: InvalidRequest for a bad header.
    """
    expected = None
    if content_md5 is not None:
        with suppress(binascii.Error, ValueError):
            expected = b64decode(content_md5, validate=True).hex()
        if expected is None or len(expected) != hashlib.md5(usedforsecurity=False).digest_size * 2:
            raise InvalidRequest("Content-MD5", "This must be the base64 form of a 16-byte MD5.")

    def check(blob: StoredBlob) -> None:
        if blob.size_bytes == 0:
            raise InvalidRequest("body", "The chunk is empty; a chunk has at least one byte.")
        arrived = as_sent.hexdigest() if as_sent else blob.md5
        if expected is not None and arrived != expected:
            raise InvalidRequest("Content-MD5", f"The body that arrived has the MD5 {arrived}; send it again.")

    return check
