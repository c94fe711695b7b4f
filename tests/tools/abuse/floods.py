"""A flood from one project: everything that a key can make more of, over Bota's API, until it is refused.

It attacks the disk, the log and the tables that all projects share: recordings that are opened and never completed,
bytes without end, webhooks, end users, devices and ordered summaries.
"""

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import uuid4

import aiohttp
import orjson

AT_ONCE = 8
"""Requests that are under way at the same time."""


class Outcome(NamedTuple):
    """What was tried, and how it was answered. `code`: the error's own name; empty for a success."""

    what: str
    status: int
    code: str


@dataclass
class Flood:
    """One hostile caller. `outcomes`: how often what was tried was answered how. `stored_bytes`: those acknowledged."""

    url: str
    token: str
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    stored_bytes: int = 0
    templates: list[str] = field(default_factory=list)

    async def everything(self, http: aiohttp.ClientSession, *, count: int, chunk_bytes: int) -> None:
        """`count` of each, and as many chunks of `chunk_bytes`."""
        await self.recordings(http, count)
        await self.chunks(http, count, chunk_bytes)
        await self.chunks(http, count, chunk_bytes, announced=False)
        await self.webhooks(http, count)
        await self.end_users(http, count)
        await self.devices(http, count)

    async def recordings(self, http: aiohttp.ClientSession, count: int) -> None:
        """Recordings that are opened and never completed."""

        async def one() -> None:
            body = {"streaming": True, "end_user_id": "eu_flood", "codec": "opus", "metadata": {"flood": "x" * 1_000}}
            answer = await self._post(http, "recording", "/v1/recordings", body)
            if "chunk_upload_url_template" in answer:
                self.templates.append(answer["chunk_upload_url_template"])

        await _at_once(one() for _ in range(count))

    async def chunks(self, http: aiohttp.ClientSession, count: int, size_bytes: int, *, announced: bool = True) -> None:
        """Chunks of the open recordings. Not `announced`: their size becomes known only as they come."""

        async def one(number: int) -> None:
            template = self.templates[number % len(self.templates)]
            part = str(number // len(self.templates) + (1 if announced else 50))
            body = uuid4().bytes * (size_bytes // 16)
            sent = io.BytesIO(body) if announced else in_pieces(body)
            url = aiohttp.client.URL(template.replace("{part}", part), encoded=True)
            if await self._put(http, url, sent):
                self.stored_bytes += len(body)

        if self.templates:
            await _at_once(one(number) for number in range(count))

    async def webhooks(self, http: aiohttp.ClientSession, count: int) -> None:
        body = {"url": "http://127.0.0.1:9/flood", "events": ["recording.created"]}
        await _at_once(self._post(http, "webhook", "/v1/webhooks", body) for _ in range(count))

    async def end_users(self, http: aiohttp.ClientSession, count: int) -> None:
        bodies = [{"name": "flood", "metadata": {"flood": "x" * 1_000}} for _ in range(count)]
        await _at_once(self._post(http, "end_user", "/v1/end-users", body) for body in bodies)

    async def devices(self, http: aiohttp.ClientSession, count: int) -> None:
        bodies = [{"serial_number": uuid4().hex} for _ in range(count)]
        await _at_once(self._post(http, "device", "/v1/devices", body) for body in bodies)

    async def summaries(self, http: aiohttp.ClientSession, transcription_id: str, count: int) -> None:
        """Each with a prompt of its own."""
        bodies = [{"transcription_id": transcription_id, "prompt": f"{uuid4()} ?" * 20} for _ in range(count)]
        await _at_once(self._post(http, "summary", "/v1/summaries", body) for body in bodies)

    def tried(self, what: str) -> dict[tuple[int, str], int]:
        """How often each status and code came."""
        return {(each.status, each.code): count for each, count in self.outcomes.items() if each.what == what}

    async def _post(self, http: aiohttp.ClientSession, what: str, path: str, body: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        async with http.post(self.url + path, data=orjson.dumps(body), headers=headers) as answer:
            said: dict[str, Any] = orjson.loads(await answer.read())
            self.outcomes[Outcome(what, answer.status, said.get("error", {}).get("code", ""))] += 1
            return said

    async def _put(self, http: aiohttp.ClientSession, url: Any, body: Any) -> bool:
        async with http.put(url, data=body, expect100=True) as answer:
            said = await answer.read()
            code = orjson.loads(said)["error"]["code"] if said else ""
            self.outcomes[Outcome("chunk", answer.status, code)] += 1
            return answer.ok


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    """Sent chunk by chunk (Transfer-Encoding), without a Content-Length."""
    for start in range(0, len(body), 16 * 1024):
        yield body[start : start + 16 * 1024]


async def _at_once(requests: Iterable[Awaitable[Any]]) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(request: Awaitable[Any]) -> None:
        async with places:
            await request

    await asyncio.gather(*(one(request) for request in requests))
