"""Dragon's API as a partner's client speaks it, with tokens of the development issuer or of the test's own."""

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterable, Awaitable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp
import orjson

from tests.end_to_end.service_process import Answer, Api

AUDIO_VERSION = "2025-07-15"
AUDIO = f"api-version={AUDIO_VERSION}"
SESSIONS = "api-version=2"
JSON = "application/json; charset=utf-8"
SUCCESS = b'{"error":null}'


class Served(Protocol):
    """A service in development, in a process of its own or in the test's."""

    @property
    def url(self) -> str: ...

    @property
    def data_dir(self) -> Path: ...


def dragon_credentials(service: Served) -> dict[str, str]:
    return orjson.loads((service.data_dir / "dev-credentials.json").read_bytes())["dragon"]


async def development_token(credentials: dict[str, str]) -> str:
    asked = {"grant_type": "client_credentials"} | {name: credentials[name] for name in ("client_id", "client_secret")}
    async with aiohttp.ClientSession() as http, http.post(credentials["token_url"], data=asked) as answer:
        assert answer.status == 200, await answer.text()
        return (await answer.json())["access_token"]


def ids(credentials: dict[str, str]) -> dict[str, str]:
    return {name: credentials[key] for name, key in ID_FIELDS.items()}


ID_FIELDS = {"customerId": "customer_id", "partnerId": "partner_id", "productId": "product_id"}


class Dragon:
    """One session's client. `named`: the body's ids; a change to None leaves a field out."""

    def __init__(self, url: str, token: str, named: dict[str, str], correlation_id: str | None = None) -> None:
        self.url = url
        self.token = token
        self.named = named | {"correlationId": correlation_id or f"visit-{uuid4().hex}"}

    @classmethod
    async def connect(cls, service: Served, correlation_id: str | None = None) -> "Dragon":
        credentials = dragon_credentials(service)
        return cls(service.url, await development_token(credentials), ids(credentials), correlation_id)

    @property
    def correlation_id(self) -> str:
        return self.named["correlationId"]

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        token: str | None = "own",  # noqa: S107
        trace: str | None = "new",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """`body`: bytes, pieces of them, a form, or anything to be sent as JSON."""
        sent = dict(headers or {})
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token if token == 'own' else token}")  # noqa: S105
        if trace is not None:
            sent.setdefault("x-correlation-id", str(uuid4()) if trace == "new" else trace)
        body = io.BytesIO(body) if isinstance(body, bytes) else body
        is_raw = body is None or isinstance(body, io.BytesIO | aiohttp.FormData | AsyncIterable)
        data = body if is_raw else json.dumps(body).encode()
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, aiohttp.client.URL(self.url + path, encoded=True), data=data, headers=sent) as answer,
        ):
            return Answer(answer.status, await answer.read(), answer.headers.copy())

    async def announce(self, **changes: Any) -> Answer:
        path = f"/ambient-sessions?{SESSIONS}&customerId={self.named['customerId']}"
        return await self.call("PUT", path, body=without_none(self.named | changes), trace=None)

    async def end(self) -> Answer:
        path = f"/ambient-sessions/{self.correlation_id}?{SESSIONS}&customerId={self.named['customerId']}"
        return await self.call("DELETE", path, trace=None)

    def metadata(self, chunk_id: Any = 1, recording_id: Any = 1, **changes: Any) -> dict[str, Any]:
        return without_none(self.named | {"recordingId": recording_id, "chunkId": chunk_id} | changes)

    async def store(
        self, chunk_id: Any, content: bytes | None, recording_id: Any = 1, *, trace: str | None = "new", **changes: Any
    ) -> Answer:
        form = chunk_form(self.metadata(chunk_id, recording_id, **changes), content)
        path = f"/audio/storeChunk?{AUDIO}&customerId={self.named['customerId']}"
        return await self.call("PUT", path, body=form, trace=trace)

    async def finalize(self, total: Any, recording_id: Any = 1, *, trace: str | None = "new", **changes: Any) -> Answer:
        body = without_none(self.named | {"recordingId": recording_id, "totalChunks": total} | changes)
        return await self.call("POST", f"/audio/finalizeUpload?{AUDIO}", body=body, trace=trace)

    def of_recording(self, recording_id: Any = 1, **changes: Any) -> dict[str, Any]:
        """The query of a GET about a recording."""
        return without_none({"api-version": AUDIO_VERSION, **self.named, "recordingId": recording_id, **changes})

    async def chunks(self, below: str = "", recording_id: Any = 1, **changes: Any) -> Answer:
        return await self.call("GET", f"/audio/chunks{below}?{urlencode(self.of_recording(recording_id, **changes))}")

    async def retry(self, recording_id: Any = 1) -> Answer:
        return await self.call("POST", f"/audio/retryUpload?{AUDIO}", body=self.named | {"recordingId": recording_id})


def without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def chunk_form(metadata: Any, content: bytes | None) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("metadata", metadata if isinstance(metadata, str) else json.dumps(metadata))
    if content is not None:
        form.add_field("content", content, filename="chunk.bin", content_type="application/octet-stream")
    return form


async def found(api: Api, correlation_id: str, recording_id: int = 1) -> dict[str, Any] | None:
    """The recording as those who run the service look for it."""
    answer = await api.call("GET", f"/v1/recordings?correlation_id={correlation_id}&recording_id={recording_id}")
    assert answer.status == 200, answer
    data = answer.json["data"]
    return data[0] if data else None


async def ended(api: Api, correlation_id: str, recording_id: int = 1, *, seconds: float = 120) -> dict[str, Any]:
    async with asyncio.timeout(seconds):
        while (recording := await found(api, correlation_id, recording_id)) is None or recording["status"] not in (
            "completed",
            "failed",
        ):
            await asyncio.sleep(0.05)
    return recording


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def silence(tenths: int = 1) -> bytes:
    """Tenths of a second of nothing as a WAV file, for where the speech engine is not what is tried."""
    size = 3_200 * tenths
    head = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x80>\0\0\0}\0\0\x02\0\x10\0"
    return head + b"data" + size.to_bytes(4, "little") + bytes(size)


async def error_of(answering: Awaitable[Answer], status: int) -> str:
    """The one string of an answer that is refused with `status`, in Dragon's form."""
    answer = await answering
    assert (answer.status, answer.headers["Content-Type"]) == (status, JSON)
    assert set(answer.json) == {"error"}
    return answer.json["error"]
