"""Who uploads recordings, and who listens to them meanwhile: each goes on after whatever cuts a connection."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from typing import Any

import aiohttp

from tests.end_to_end.listening import Listening, listening
from tests.end_to_end.service_process import Answer, Api
from tests.tools.soak.arriving.recordings import Arrival, Recorded

_AGAIN_SECONDS = 0.1
_ENDED_WITHIN_SECONDS = 1_200
_BETWEEN_PUTS_SECONDS = 0.4
_WAITS = 0.8
"""How probable it is that a client waits, before it declares a recording complete, until some of it is heard."""
_WAITS_SECONDS = 30
_GOES_AWAY = 0.1
"""How probable it is that a listener goes away after an event, and comes back."""

BEGINS_LATE_SECONDS = 10


class Wrong(Exception):
    """The service did what it must never do."""


@dataclass
class Life:
    """One recording, as its client and its listeners saw it. `finalized`: the first answer."""

    what: Recorded
    arrival: Arrival
    recording: dict[str, Any]
    finalized: bytes = b""
    retries: int = 0
    listeners: list["Listener"] = field(default_factory=list)


async def answered(call: Callable[[], Awaitable[Answer]], *statuses: int) -> Answer:
    """Its answer with one of these statuses, asked for until there is one. Raises: Wrong for any but 503."""
    while True:
        with suppress(aiohttp.ClientError, ConnectionError):
            answer = await call()
            if answer.status in statuses:
                return answer
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise Wrong(f"answered with {answer.status}: {answer.body[:300]!r}")
        await asyncio.sleep(_AGAIN_SECONDS)


async def upload(api: Api, life: Life, chance: Random) -> None:
    """All of it, until it is transcribed. A stage that failed, as its processes were killed too often, is retried."""
    for number, body in life.arrival.puts:
        await answered(lambda n=number, b=body: api.put(life.recording, n, b), 200)
        await asyncio.sleep(chance.uniform(0, _BETWEEN_PUTS_SECONDS))
    if chance.random() < _WAITS:
        await _until_some_is_heard(api, life)
    total = len(life.arrival.bodies)
    life.finalized = (await answered(lambda: api.finalize(life.recording, total), 200, 202)).body
    async with asyncio.timeout(_ENDED_WITHIN_SECONDS):
        while (found := await _read(api, life))["status"] != "completed":
            if found["status"] == "failed":
                life.retries += 1
                await answered(lambda: api.call("POST", f"/v1/recordings/{life.recording['id']}/retry"), 200, 202, 409)
            await asyncio.sleep(_AGAIN_SECONDS)


async def _until_some_is_heard(api: Api, life: Life) -> None:
    """Or for a while: a recording whose listening process was killed is not heard before its end."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_WAITS_SECONDS):
            while not (await _read(api, life)).get("progress", {}).get("recognized_ms"):
                await asyncio.sleep(_AGAIN_SECONDS)


async def _read(api: Api, life: Life) -> dict[str, Any]:
    found: dict[str, Any] = (
        await answered(lambda: api.call("GET", f"/v1/recordings/{life.recording['id']}"), 200)
    ).json
    return found


class Listener:
    """Listens until it is told the transcript. `segments`: what it was told and holds. `told`: how often each event."""

    def __init__(self, api: Api, recording: dict[str, Any], chance: Random) -> None:
        self._api = api
        self._recording = recording
        self._chance = chance
        self.segments: list[dict[str, Any]] = []
        self.told: Counter[str] = Counter()
        self.connections = 0

    async def listen(self) -> None:
        """Raises: Wrong; AssertionError when a segment is missing, or comes twice."""
        await asyncio.sleep(self._chance.uniform(0, BEGINS_LATE_SECONDS))
        heard: Listening | None = None
        while True:
            with suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                async with listening(self._api, self._recording, heard) as heard:
                    self.connections += 1
                    self.segments = heard.segments
                    if heard.status == HTTPStatus.OK and await self._has_ended(heard):
                        return
                    if heard.status not in (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE):
                        raise Wrong(f"a listener was answered with {heard.status}")
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _has_ended(self, heard: Listening) -> bool:
        """Whether it was told the transcript; it goes away before that, now and then."""
        while (told := await heard.next()) is not None:
            self.told[told.event] += 1
            if told.event == "transcript":
                return True
            if self._chance.random() < _GOES_AWAY:
                return False
        return False
