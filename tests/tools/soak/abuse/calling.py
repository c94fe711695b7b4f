"""HTTP as a client of the service speaks it, with an address of its own; each answer is counted under its name."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.end_to_end.service_process import Answer
from tests.tools.soak.abuse.naming import answer_name
from tests.tools.soak.abuse.tally import Tally

PATIENCE = aiohttp.ClientTimeout(total=180)
"""A request that is not answered by then is not answered: the service says within a minute that it cannot."""


class Caller:
    """`who`: under which its answers are counted. `address`: one of this machine's loopback addresses."""

    def __init__(self, http: aiohttp.ClientSession, url: str, headers: dict[str, str], *, who: str, tally: Tally):
        self.url = url
        self.who = who
        self.tally = tally
        self.http = http
        self._headers = headers

    async def call(
        self, method: str, path: str, *, body: Any = None, headers: dict[str, str] | None = None, key: bool = True
    ) -> Answer:
        """`path`: below the service, or a whole URL. `body`: bytes, a form's payload, or what is sent as JSON."""
        url = aiohttp.client.URL(path if path.startswith("http") else self.url + path, encoded=True)
        is_raw = body is None or isinstance(body, bytes | aiohttp.Payload)
        sent = body if is_raw else json.dumps(body).encode()
        given = (self._headers if key else {}) | (headers or {})
        async with self.http.request(method, url, data=sent, headers=given) as response:
            return Answer(response.status, await response.read(), response.headers.copy())

    async def tried(self, method: str, path: str, **more: Any) -> Answer:
        """As `call`, and counted. No answer is one, too: status 0."""
        try:
            answer = await self.call(method, path, **more)
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            answer = Answer(0, b"", {})
            self.count(f"no answer: {type(error).__name__}")
        else:
            self.count(answer_name(answer.status, answer.body))
        return answer

    def count(self, answer: str, times: int = 1) -> None:
        self.tally.add(self.who, answer, times)


@asynccontextmanager
async def connected(
    url: str, headers: dict[str, str], *, who: str, tally: Tally, address: str = "127.0.0.1"
) -> AsyncIterator[Caller]:
    connector = aiohttp.TCPConnector(local_addr=(address, 0), limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=PATIENCE, skip_auto_headers=["Content-Type"]) as http:
        yield Caller(http, url, headers, who=who, tally=tally)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
