"""Downloads a recording so that after a broken connection, or run, only what has not arrived is fetched again."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import aiohttp

from service.client.answers import Chunk, DownloadLink, Recording
from service.client.api import RecordingsClient
from service.client.attempts import Setback
from service.client.errors import ClientFailure, CorruptDownload
from service.client.transport import server_of

BLOCK_BYTES = 256 * 1024


async def download(
    client: RecordingsClient, recording: Recording, target: Path, on_bytes: Callable[[int, int], None]
) -> None:
    """Fetch the stitched file to `target`, which appears (or is replaced) only when it is complete and verified.

    It is written to a hidden file beside it, named after its content, so that a later run continues where this one
    stopped. `on_bytes` gets how many bytes have arrived, and of how many.
    Raises: ClientFailure when there is nothing to download yet or the service cannot be reached; CorruptDownload;
    OSError from the disk.
    """
    if recording.content_sha256 is None:
        raise ClientFailure(
            f"{recording.id} has no audio to download: its status is {recording.status}. Its stored chunks can be "
            "downloaded with --chunks."
        )
    part = target.with_name(f".{target.name}.{recording.content_sha256[:16]}.part")
    fetch = _Fetch(client, recording.content_sha256, part, on_bytes)
    while not await fetch.advance(await client.download_link(recording.id)):
        pass
    await asyncio.to_thread(_publish, part, target, recording.content_sha256)


async def download_chunks(
    client: RecordingsClient, recording_id: str, target: Path, on_bytes: Callable[[int, int], None]
) -> None:
    """Fetch the stored chunks of a recording, one after another, to `target`, which appears (or is replaced) only when
    all have arrived and are verified. `on_bytes` and what is raised: as for `download`."""
    chunks = (await client.chunks(recording_id)).data
    size_bytes = sum(chunk.size_bytes for chunk in chunks)
    part = target.with_name(f".{target.name}.part")
    try:
        with await asyncio.to_thread(part.open, "wb") as file:
            for chunk in chunks:
                fetch = partial(_fetch_chunk, client, recording_id, chunk, file, file.tell())
                await client.attempts.until_done(client.server, fetch)
                on_bytes(file.tell(), size_bytes)
            await asyncio.to_thread(os.fsync, file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


async def _fetch_chunk(client: RecordingsClient, recording_id: str, chunk: Chunk, file: BinaryIO, start: int) -> None:
    """Write the chunk to `file` from `start` on. Raises: Setback if other bytes arrived than the service holds."""
    file.seek(start)
    file.truncate()
    digest = hashlib.md5(usedforsecurity=False)
    async with client.stored_chunk(recording_id, chunk.number) as response:
        async for block in response.content.iter_chunked(BLOCK_BYTES):
            digest.update(block)
            await asyncio.to_thread(file.write, block)
    if digest.hexdigest() != chunk.md5:
        raise Setback("the bytes were damaged on the way")


class _Fetch:
    """The download of one file into its `.part`."""

    def __init__(self, client: RecordingsClient, sha256: str, part: Path, on_bytes: Callable[[int, int], None]) -> None:
        self._client = client
        self._etag = f'"{sha256}"'
        self._part = part
        self._on_bytes = on_bytes

    async def advance(self, link: DownloadLink) -> bool:
        """Fetch until the file is complete (True) or the connection breaks after some progress (False).

        Progress renews the patience: only a service that sends nothing at all is given up.
        """

        async def attempt() -> bool:
            had = await asyncio.to_thread(self._arrived)
            try:
                return await self._fetch_rest(link, had)
            except Setback:
                if await asyncio.to_thread(self._arrived) > had:
                    return False
                raise

        return await self._client.attempts.until_done(server_of(link.download_url), attempt)

    async def _fetch_rest(self, link: DownloadLink, had: int) -> bool:
        self._on_bytes(had, link.file_size_bytes)
        if had == link.file_size_bytes:
            return True
        # If-Range: if the file has changed after all, all of it comes, with 200.
        headers = {"Range": f"bytes={had}-", "If-Range": self._etag} if had else {}
        async with self._client.stream(link.download_url, headers) as response:
            if response.status == HTTPStatus.PARTIAL_CONTENT:
                await self._write(response, had, link.file_size_bytes)
            elif response.status == HTTPStatus.OK:
                await self._write(response, 0, link.file_size_bytes)
            else:
                await asyncio.to_thread(self._part.unlink)
                raise Setback("it does not have the missing range")
        return True

    async def _write(self, response: aiohttp.ClientResponse, offset: int, size_bytes: int) -> None:
        with await asyncio.to_thread(self._part.open, "r+b" if offset else "wb") as file:
            await asyncio.to_thread(file.seek, offset)
            async for block in response.content.iter_chunked(BLOCK_BYTES):
                await asyncio.to_thread(file.write, block)
                offset += len(block)
                self._on_bytes(offset, size_bytes)
        if offset < size_bytes:
            raise Setback("the answer was cut short")

    def _arrived(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0


def _publish(part: Path, target: Path, sha256: str) -> None:
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    if found != sha256:
        part.unlink()
        raise CorruptDownload(f"The downloaded file has the SHA-256 {found}, not {sha256}; it was deleted. Try again.")
    part.replace(target)
