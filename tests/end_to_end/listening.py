"""A listener to a stream of server-sent events: reads as the standard says (HTML, 9.2.6), and remembers its place."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp.connector import AddrInfoType

from tests.end_to_end.service_process import Api

SECONDS = 400
"""Until the next event: a machine with much other work recognizes slowly."""


@dataclass
class Told:
    event: str
    data: Any
    id: str


@dataclass
class Listening:
    """`segments`: those that hold, as a client keeps them. `last_id`: from where a new request would go on."""

    status: int
    headers: Any
    content: aiohttp.StreamReader
    last_id: str | None
    segments: list[dict[str, Any]] = field(default_factory=list)

    async def next(self) -> Told | None:
        """The next event; None at the end. Raises aiohttp.ClientPayloadError if the connection ends without an end."""
        event, data, its_id = "message", "", self.last_id
        async with asyncio.timeout(SECONDS):
            while line := (await self.content.readline()).decode():
                name, _, value = line.rstrip("\n").partition(":")
                value = value.removeprefix(" ")
                if name == "event":
                    event = value
                elif name == "data":
                    data += value
                elif name == "id":
                    its_id = value
                elif line == "\n":
                    self.last_id = its_id
                    if data:
                        return self._told(Told(event, orjson.loads(data), its_id))
        return None

    def _told(self, told: Told) -> Told:
        if told.event == "segment":
            assert told.data["index"] == len(self.segments), "a segment is missing, or comes twice"
            self.segments.append(told.data)
        if told.event == "withdrawn":
            assert told.data["from_index"] < len(self.segments)
            del self.segments[told.data["from_index"] :]
        return told

    async def until(self, *events: str) -> Told:
        """The next of these events."""
        while (told := await self.next()) is not None:
            if told.event in events:
                return told
        raise AssertionError(f"the stream ended without {events}")

    async def rest(self) -> list[Told]:
        """All there is until the end."""
        found = []
        while (told := await self.next()) is not None:
            found.append(told)
        return found


def listening(
    api: Api, recording: dict[str, Any], before: Listening | None = None, *, query: str = "", last_id: str | None = None
) -> AbstractAsyncContextManager[Listening]:
    """`before`: what was heard over an earlier connection, which is taken up again."""
    return listening_at(api, f"/v1/recordings/{recording['id']}/live{query}", before, last_id=last_id)


ROOM_BYTES = 64 * 1024


def with_little_room(address: AddrInfoType) -> socket.socket:
    """A socket for which the system keeps little that was not read. Else it may be megabytes, ever more."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_BYTES)
    return made


@asynccontextmanager
async def listening_at(
    api: Api,
    path: str,
    before: Listening | None = None,
    *,
    last_id: str | None = None,
    coding: str = "gzip",
    has_little_room: bool = False,
) -> AsyncIterator[Listening]:
    """The same to any stream."""
    last_id = before.last_id if before is not None else last_id
    headers = (
        api.authorization | {"Accept-Encoding": coding} | ({"Last-Event-ID": last_id} if last_id is not None else {})
    )
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(socket_factory=with_little_room if has_little_room else None)
    async with (
        aiohttp.ClientSession(timeout=timeout, connector=connector) as http,
        http.get(f"{api.url}{path}", headers=headers) as answer,
    ):
        held = before.segments if before is not None else []
        yield Listening(answer.status, answer.headers, answer.content, last_id, held)
