"""The recordings API over HTTP, call by call."""

import base64
import hashlib
import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp
import orjson
from pydantic import ValidationError

from service.application.exact_json import exact_loads
from service.client.answers import (
    Answer,
    ChunkListing,
    Created,
    DownloadLink,
    History,
    HistoryEntry,
    Recording,
    RecordingListing,
    Transcription,
)
from service.client.attempts import Attempts
from service.client.errors import UnexpectedAnswer
from service.client.transport import raise_for, server_of, setbacks

CONNECT_SECONDS = 10.0
CALL_SECONDS = 60.0
BUFFER_BYTES = 64 * 1024
LINES_BUFFER_BYTES = 1024 * 1024
"""For streams of events: a message that names a thousand damaged chunks has more than a hundred kilobytes."""

# A chunk's PUT gets enough time for a link this slow; slower links need smaller chunks.
SLOWEST_BYTES_PER_SECOND = 16 * 1024

_WORTH_ANOTHER_TRY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_AnswerT = TypeVar("_AnswerT", bound=Answer)


class RecordingsClient:
    """Calls the API; `attempts` says how a call is repeated when the service cannot be reached.

    Every method raises: ApiError when refused; Unreachable when its patience ends; UnexpectedAnswer.
    """

    def __init__(self, session: aiohttp.ClientSession, base_url: str, api_key: str, attempts: Attempts) -> None:
        self._session = session
        self._base = base_url.rstrip("/")
        self._authorization = {"Authorization": f"Bearer {api_key}"}
        self.attempts = attempts

    @property
    def server(self) -> str:
        """The service's address, without its path."""
        return server_of(self._base)

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, base_url: str, api_key: str, attempts: Attempts | None = None
    ) -> AsyncIterator["RecordingsClient"]:
        """Open a client for the duration of the `async with`."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        # A service answers after its commit, and closes idle connections when it stops: none is kept longer than that.
        connector = aiohttp.TCPConnector(limit=32, keepalive_timeout=5)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            yield cls(session, base_url, api_key, attempts or Attempts())

    async def create(
        self,
        *,
        codec: str,
        started_at: datetime,
        estimated_duration_ms: int,
        chunk_duration_ms: int,
        end_user_id: str | None = None,
        device_id: str | None = None,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Created:
        """Open a recording for chunks. All tries share one Idempotency-Key, so only one recording is opened."""
        body = {
            "end_user_id": end_user_id,
            "device_id": device_id,
            "started_at": started_at.isoformat().replace("+00:00", "Z"),
            "estimated_duration_ms": estimated_duration_ms,
            "codec": codec,
            "streaming": True,
            "chunk_duration_ms": chunk_duration_ms,
            "name": name,
            "metadata": metadata,
        }
        said = {key: value for key, value in body.items() if value is not None}
        return await self._call(Created, "POST", "/v1/recordings", said, {"Idempotency-Key": str(uuid4())})

    async def put_chunk(self, template: str, number: int, content: bytes) -> None:
        """Store one chunk using the signed template; every try sends all of it again. 200 means that it is durable."""
        url = template.replace("{part}", str(number))
        md5 = hashlib.md5(content, usedforsecurity=False).digest()
        headers = {
            "Content-MD5": base64.b64encode(md5).decode("ascii"),
            "Content-Length": str(len(content)),
            "Content-Type": "application/octet-stream",
        }
        allowed = CALL_SECONDS + len(content) / SLOWEST_BYTES_PER_SECOND
        # BytesIO, not bytes: aiohttp then writes it in pieces and does not block the loop.
        await self._answered("PUT", url, headers, lambda: io.BytesIO(content), allowed)

    async def finalize(
        self, recording_id: str, *, total_chunks: int, final_duration_ms: int, checksum_md5: str
    ) -> None:
        """Declare the upload complete. Safe to repeat.

        Raises: ApiError of type `chunk_mismatch`, with `missing_chunks` in its details, when some have not arrived.
        """
        body = {
            "total_chunks": total_chunks,
            "final_duration_ms": final_duration_ms,
            "checksum_md5": checksum_md5,
        }
        await self.document("POST", f"/v1/recordings/{recording_id}/finalize", body)

    async def recording(self, recording_id: str) -> Recording:
        """Return a recording's state."""
        return await self._call(Recording, "GET", f"/v1/recordings/{recording_id}")

    async def search(self, correlation_id: str, recording_number: int) -> list[Recording]:
        """Find a recording by the ids that a Dragon client gave it: one or none."""
        query = urlencode({"correlation_id": correlation_id, "recording_id": recording_number})
        return (await self._call(RecordingListing, "GET", f"/v1/recordings?{query}")).data

    async def chunks(self, recording_id: str) -> ChunkListing:
        """List the chunks that have arrived, with a fresh template while more are accepted."""
        return await self._call(ChunkListing, "GET", f"/v1/recordings/{recording_id}/chunks")

    async def events(self, recording_id: str) -> list[HistoryEntry]:
        """Return a recording's history, oldest first."""
        return [
            entry
            async for page in self.history_pages(recording_id)
            for entry in self._understood(History, page, f"the history of {recording_id}").data
        ]

    async def history_pages(self, recording_id: str) -> AsyncIterator[dict[str, object]]:
        """Yield the JSON objects that have a recording's history in their `data`, unchanged, oldest first."""
        path = f"/v1/recordings/{recording_id}/events"
        page = await self.document("GET", path)
        yield page
        while (cursor := page.get("next_cursor")) is not None:
            page = await self.document("GET", f"{path}?{urlencode({'cursor': cursor})}")
            yield page

    async def transcription(self, transcription_id: str) -> Transcription:
        """Return a transcript."""
        return await self._call(Transcription, "GET", f"/v1/transcriptions/{transcription_id}")

    async def transcript_file(self, transcription_id: str, form: str) -> bytes:
        """Return a completed transcript as a file; `form`: txt, srt, vtt or json.

        Raises: ApiError `not_ready` while it is not completed, `transcription_failed` when it never will be.
        """
        url = f"{self._base}/v1/transcriptions/{transcription_id}?{urlencode({'format': form})}"
        return await self._answered("GET", url, self._authorization, lambda: None, CALL_SECONDS)

    async def retry(self, recording_id: str) -> Recording:
        """Let a failed recording continue from where it failed. Raises: ApiError `not_failed`."""
        return await self._call(Recording, "POST", f"/v1/recordings/{recording_id}/retry")

    async def download_link(self, recording_id: str) -> DownloadLink:
        """Return a signed address of the stitched file."""
        return await self._call(DownloadLink, "GET", f"/v1/recordings/{recording_id}/download-url")

    async def document(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, object]:
        """Call `path` and return the JSON object of the answer, unchanged."""
        payload = None if body is None else orjson.dumps(body)
        sent = {**self._authorization, **(headers or {})}
        if payload is not None:
            sent["Content-Type"] = "application/json"
        raw = await self._answered(method, self._base + path, sent, lambda: payload, CALL_SECONDS)
        try:
            document = exact_loads(raw)
        except orjson.JSONDecodeError as error:
            raise UnexpectedAnswer(f"{self._base} did not answer in JSON; is it a tapedeck service?") from error
        if not isinstance(document, dict):
            raise UnexpectedAnswer(f"{self._base} did not answer with a JSON object; is it a tapedeck service?")
        return document

    @asynccontextmanager
    async def stored_chunk(self, recording_id: str, number: int) -> AsyncIterator[aiohttp.ClientResponse]:
        """GET the bytes of a stored chunk, once; the caller reads them. Raises: as `stream`."""
        url = f"{self._base}/v1/recordings/{recording_id}/chunks/{number}"
        async with self.stream(url, self._authorization) as response:
            yield response

    @asynccontextmanager
    async def live(self, recording_id: str, last_event_id: str | None) -> AsyncIterator[aiohttp.ClientResponse]:
        """Listen to a recording, once; the caller reads the events. Raises: as `stream`."""
        headers = self._authorization | ({"Last-Event-ID": last_event_id} if last_event_id is not None else {})
        url = f"{self._base}/v1/recordings/{recording_id}/live"
        async with self.stream(url, headers, buffer_bytes=LINES_BUFFER_BYTES) as response:
            yield response

    @asynccontextmanager
    async def happening(
        self, query: Mapping[str, str], last_event_id: str | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Listen to what happens in the project, once; the caller reads the events. Raises: as `stream`."""
        headers = self._authorization | ({"Last-Event-ID": last_event_id} if last_event_id is not None else {})
        url = f"{self._base}/v1/events?{urlencode(query)}"
        async with self.stream(url, headers, buffer_bytes=LINES_BUFFER_BYTES) as response:
            yield response

    @asynccontextmanager
    async def stream(
        self, url: str, headers: Mapping[str, str], *, buffer_bytes: int = BUFFER_BYTES
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """GET an address, signed unless `headers` say who asks, once; the caller reads the body. `buffer_bytes`: a line
        that is read may have twice as many.

        Raises: Setback when another try may help; ApiError (not for 416, which the caller handles).
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=CALL_SECONDS)
        with setbacks():
            asked = self._session.get(url, headers=dict(headers), timeout=timeout, read_bufsize=buffer_bytes)
            async with asked as response:
                if response.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise_for(response, b"" if response.ok else await response.read())
                yield response

    async def _call(
        self,
        answer: type[_AnswerT],
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> _AnswerT:
        return self._understood(answer, await self.document(method, path, body, headers), f"{method} {path}")

    def _understood(self, answer: type[_AnswerT], document: Mapping[str, object], asked: str) -> _AnswerT:
        try:
            return answer.model_validate(document)
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise UnexpectedAnswer(f"{self._base} answered {asked} without a usable {where}.") from error

    async def _answered(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        payload: Callable[[], object],
        allowed_seconds: float,
    ) -> bytes:
        timeout = aiohttp.ClientTimeout(total=allowed_seconds, sock_connect=CONNECT_SECONDS)

        async def attempt() -> bytes:
            with setbacks():
                async with self._session.request(
                    method, url, headers=dict(headers), data=payload(), timeout=timeout
                ) as response:
                    raw = await response.read()
            raise_for(response, raw)
            return raw

        return await self.attempts.until_done(server_of(url), attempt)
