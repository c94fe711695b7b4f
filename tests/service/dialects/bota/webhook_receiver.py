"""A receiver of webhooks: a real server on loopback, which answers as the test tells it."""

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web
from orjson import loads

from tests.tools.free_ports import free_port

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Received:
    """A request as it came, byte for byte."""

    headers: dict[str, str]
    raw: bytes
    names: tuple[str, ...] = ()
    """Of its headers, in lower case, each as often as it came."""

    @property
    def body(self) -> Any:
        return loads(self.raw)

    @property
    def type(self) -> str:
        return self.body["type"]

    def check_form(self) -> None:
        """As Bota's own receivers check it, before they look at what it says."""
        for name in ("content-type", "content-length", "x-bota-signature", "x-bota-timestamp"):
            assert self.names.count(name) == 1, name
        assert not {"transfer-encoding", "content-encoding"} & set(self.names)
        assert self.headers["Content-Type"] == "application/json"
        assert int(self.headers["Content-Length"]) == len(self.raw) <= 2**20
        assert re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", self.type)
        assert re.fullmatch(r"evt_[A-Za-z0-9_-]{1,200}", self.body["id"])
        assert datetime.fromisoformat(self.body["created_at"]).tzinfo is not None
        assert isinstance(self.body["data"], dict)

    def check_signature(self, secret: str) -> None:
        """As Bota's own receivers check it: over the raw bytes, keyed with the whole secret."""
        self.check_form()
        timestamp = self.headers["X-Bota-Timestamp"]
        assert len(timestamp) == 10
        assert timestamp.isdecimal()
        signed = hmac.new(secret.encode(), timestamp.encode() + b"." + self.raw, hashlib.sha256).hexdigest()
        assert self.headers["X-Bota-Signature"] == f"v1={signed}"
        assert self.headers["X-Bota-Event-Id"] == self.headers["webhook-id"] == self.body["id"]


class Receiver:
    """`answers`: for the first requests, one each: a status, or what makes the answer. After them, `always`."""

    def __init__(self, *answers: int | Answering, always: int | Answering = 200) -> None:
        self._answers = list(answers)
        self._always = always
        self._port = free_port()
        self._runner: web.AppRunner | None = None
        self._arrived = asyncio.Event()
        self.url = f"http://127.0.0.1:{self._port}/hook"
        self.received: list[Received] = []

    async def start(self) -> "Receiver":
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._receive)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, backlog=1024).start()
        return self

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        self.received.append(_received(request, await request.read()))
        self._arrived.set()
        self._arrived = asyncio.Event()
        answer = self._answers.pop(0) if self._answers else self._always
        return web.Response(status=answer) if isinstance(answer, int) else await answer(request)

    async def count(self, count: int, *, seconds: float = 60) -> list[Received]:
        """The requests, once there are so many."""
        async with asyncio.timeout(seconds):
            while len(self.received) < count:
                await self._arrived.wait()
        return self.received

    @property
    def types(self) -> list[str]:
        return [one.type for one in self.received]


def _received(request: web.Request, raw: bytes) -> Received:
    names = tuple(name.decode().lower() for name, _ in request.raw_headers)
    return Received(dict(request.headers), raw, names)


@asynccontextmanager
async def receivers() -> AsyncIterator[Callable[..., Awaitable[Receiver]]]:
    """A function that starts a receiver, which takes what `Receiver` takes; in the end all are stopped."""
    started: list[Receiver] = []

    async def start(*answers: Any, **more: Any) -> Receiver:
        started.append(await Receiver(*answers, **more).start())
        return started[-1]

    yield start
    for receiver in started:
        await receiver.stop()
