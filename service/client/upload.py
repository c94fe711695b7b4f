"""Uploads a file: several slices at once, missing ones again, then finalizes."""

import asyncio
from collections.abc import Callable, Iterable
from http import HTTPStatus

from service.application.retry import RetryPolicy
from service.client.answers import Recording
from service.client.api import RecordingsClient
from service.client.errors import ApiError, ClientFailure
from service.client.slices import CutFile, Slice

# If finalize still names missing chunks after this many rounds, the service is losing them.
MAX_ROUNDS = 5


class Upload:
    """One file on its way into one recording.

    Memory: at most `parallel` slices are held at a time. `on_stored` is called with each slice once it is durable.
    """

    def __init__(
        self,
        client: RecordingsClient,
        recording_id: str,
        file: CutFile,
        template: str | None,
        *,
        parallel: int,
        on_stored: Callable[[Slice], None],
    ) -> None:
        self._client = client
        self._recording_id = recording_id
        self._file = file
        self._template = template
        self._parallel = parallel
        self._on_stored = on_stored

    async def send(self, slices: Iterable[Slice]) -> None:
        """Store `slices`, several at once. Raises: ClientFailure, OSError."""
        waiting = iter(slices)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._parallel):
                    group.create_task(self._send_each(waiting))
        except ExceptionGroup as failures:
            # The first one cancelled the others, so it is the cause.
            raise failures.exceptions[0] from None

    async def finalize(self, duration_ms: int) -> None:
        """Declare the upload complete, after sending again whatever the service says is missing.

        Raises: ClientFailure, OSError.
        """
        for _ in range(MAX_ROUNDS):
            try:
                await self._client.finalize(
                    self._recording_id,
                    total_chunks=len(self._file.slices),
                    final_duration_ms=duration_ms,
                    checksum_md5=self._file.md5,
                )
            except ApiError as refusal:
                await self.send(self._missing(refusal))
            else:
                return
        raise ClientFailure(f"The service keeps losing chunks of {self._recording_id} that it has acknowledged.")

    def _missing(self, refusal: ApiError) -> list[Slice]:
        numbers = refusal.details.get("missing_chunks")
        if refusal.type != "chunk_mismatch" or not isinstance(numbers, list) or not numbers:
            raise refusal
        return [piece for piece in self._file.slices if piece.number in numbers]

    async def _send_each(self, waiting: Iterable[Slice]) -> None:
        for piece in waiting:
            content = await asyncio.to_thread(self._file.read, piece)
            await self._put(piece, content)
            self._on_stored(piece)

    async def _put(self, piece: Slice, content: bytes) -> None:
        if self._template is None:
            self._template = await self._fresh_template()
        used = self._template
        try:
            await self._client.put_chunk(used, piece.number, content)
        except ApiError as refusal:
            if refusal.status != HTTPStatus.FORBIDDEN:
                raise
            # A template is valid for hours and a bad network can take longer: ask for a new one, once per slice.
            if self._template == used:
                self._template = await self._fresh_template()
            await self._client.put_chunk(self._template, piece.number, content)

    async def _fresh_template(self) -> str:
        listing = await self._client.chunks(self._recording_id)
        if listing.chunk_upload_url_template is None:
            raise ClientFailure(f"{self._recording_id} accepts no more chunks: its status is {listing.status}.")
        return listing.chunk_upload_url_template


async def settled(
    client: RecordingsClient,
    recording_id: str,
    policy: RetryPolicy,
    on_news: Callable[[Recording], None],
) -> Recording:
    """Poll until the recording has its transcript or has failed; `on_news` is called with every answer.

    Raises: ClientFailure when `policy` ends first or the service cannot be reached.
    """
    for delay in policy.delays(client.attempts.random):
        recording = await client.recording(recording_id)
        on_news(recording)
        if recording.is_settled:
            return recording
        await client.attempts.sleep(delay.total_seconds())
    raise ClientFailure(f"{recording_id} is still being processed; ask again later: tapedeck show {recording_id}")
