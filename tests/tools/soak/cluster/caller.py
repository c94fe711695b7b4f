"""How a client calls the cluster: at any host, and at the next one when that is away. Each call is noted."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from random import Random
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from tests.tools.soak.cluster.history import Call, History, Operation, sha256_of

_PATIENCE_SECONDS = 120
"""Within which an answer comes, however slow; afterwards the client hangs up."""
_AGAIN_SECONDS = (0.1, 0.8)

_began = time.monotonic()


def now() -> float:
    """In seconds, by one clock for all clients."""
    return time.monotonic() - _began


class Caller:
    """One client's connections. `refused`: how often which of its calls was not answered, or with 503."""

    def __init__(self, client: int, urls: Sequence[str], token: str, chance: Random, history: History) -> None:
        self._client = client
        self._urls = list(urls)
        self._authorization = {"Authorization": f"Bearer {token}"}
        self._chance = chance
        self._history = history
        self.refused: Counter[str] = Counter()

    async def until_answered(self, operation: Operation, recording: str, **call: Any) -> Call:
        """The first answer that is neither a 503 nor none at all. What is asked again is asked in the same words."""
        host = self._chance.randrange(len(self._urls))
        while True:
            answered = await self.once(operation, recording, host=host, **call)
            if answered.status not in (None, HTTPStatus.SERVICE_UNAVAILABLE):
                return answered
            self.refused["no answer" if answered.status is None else "503"] += 1
            host = (host + 1) % len(self._urls)
            await asyncio.sleep(self._chance.uniform(*_AGAIN_SECONDS))

    async def once(
        self,
        operation: Operation,
        recording: str,
        *,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        number: int | None = None,
        host: int | None = None,
    ) -> Call:
        """`path`: below a host, or a whole URL, of which only what is below its host counts."""
        below = path if path.startswith("/") else path.removeprefix(_base_of(path))
        url = self._urls[self._chance.randrange(len(self._urls)) if host is None else host] + below
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        begun = now()
        status, answer, retry_after = await self._send(method, url, sent, headers or {})
        call = Call(
            client=self._client,
            operation=operation,
            recording=recording,
            begun=begun,
            ended=now(),
            status=status,
            body=answer,
            retry_after=retry_after,
            number=number,
            sha256=sha256_of(sent) if operation is Operation.PUT and sent is not None else None,
        )
        self._history.note(call)
        return call

    async def _send(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int | None, bytes, bool]:
        """A connection for each call, and each is sent once: the library would send a GET, PUT or DELETE again whose
        connection was cut, and a DELETE that was done then looks as if there had been nothing to delete."""
        is_signed = "?" in url  # such a URL is right by itself
        try:
            async with (
                _session() as session,
                session.request(
                    method,
                    URL(url, encoded=True),
                    data=body,
                    headers=headers if is_signed else self._authorization | headers,
                    allow_redirects=False,
                ) as answer,
            ):
                return answer.status, await answer.read(), "Retry-After" in answer.headers
        except (aiohttp.ClientError, ConnectionError):
            return None, b"", False
        except TimeoutError:
            self.refused["hung up"] += 1
            return None, b"", False


def _session() -> aiohttp.ClientSession:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True),
        timeout=aiohttp.ClientTimeout(total=_PATIENCE_SECONDS),
        skip_auto_headers=["Content-Type"],
    )
    session._retry_connection = False
    return session


def _base_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
