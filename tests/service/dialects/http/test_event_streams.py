"""Streams of server-sent events over a real server, read from the connection byte by byte."""

import asyncio
import json
import re
import socket
import zlib
from base64 import b64encode
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from service.dialects.http.event_streams import (
    EventStreams,
    TooManyListeners,
    TooManyListenersOfOne,
)
from service.dialects.http.sent_events import ServerSentEvent
from tests.end_to_end.listening import with_little_room

ASKED = b"GET /events HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %b\r\n\r\n"
LARGE = 10_000
LONG = b'"' + b"x" * 10_000 + b'"'


class Told:
    """A source that is told what to give."""

    def __init__(self):
        self._waiting = asyncio.Queue()
        self.place = None

    def tell(self, *events):
        self._waiting.put_nowait(list(events))

    def end(self):
        self._waiting.put_nowait([])

    async def next(self):
        return await self._waiting.get()


class Endless:
    """A source that always has more, and what no coding makes much smaller."""

    place = None

    def __init__(self):
        self.given = 0
        self._random = Random(1)

    async def next(self):
        self.given += 1
        await asyncio.sleep(0)
        return [ServerSentEvent("more", b64encode(self._random.randbytes(LARGE)), str(self.given))]


@dataclass
class Rig:
    """A server with one path. `refused`: what was raised instead of an answer. `transport`: the latest connection's."""

    streams: EventStreams
    source: object = field(default_factory=Told)
    caller: str = "proj_1"
    is_permitted: bool = True
    refused: list[Exception] = field(default_factory=list)
    url: str = ""
    transport: asyncio.Transport | None = None

    async def handle(self, request):
        self.transport = request.transport

        async def is_permitted():
            return self.is_permitted

        try:
            return await self.streams.answer(request, self.source, caller=self.caller, is_permitted=is_permitted)
        except (TooManyListeners, TooManyListenersOfOne) as error:
            self.refused.append(error)
            return web.Response(status=429)


@asynccontextmanager
async def serving(most=100, **seconds):
    rig = Rig(EventStreams(most, random=Random(1), **seconds))
    app = web.Application()
    app.router.add_get("/events", rig.handle)
    async with TestServer(app) as server:
        rig.url = str(server.make_url("/events"))
        yield rig
        rig.streams.end()  # as the service does before it closes its server


@pytest.fixture(params=["gzip", "identity"])
async def http(request):
    """A client that takes this coding. What it reads is decoded."""
    timeout, headers = aiohttp.ClientTimeout(total=None, sock_read=60), {"Accept-Encoding": request.param}
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        yield session


async def left(rig):
    """Once all streams have ended."""
    async with asyncio.timeout(60):
        while len(rig.streams):
            await asyncio.sleep(0.01)


async def test_events_arrive_as_they_are_told_in_the_form_of_the_standard(http):
    async with serving() as rig, http.get(rig.url) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
        assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-store", "no")
        assert re.fullmatch(rb"retry: [1-5]\d{3}\n", await answer.content.readline())
        assert await answer.content.readline() == b"\n"
        rig.source.tell(ServerSentEvent("said", json.dumps("héllo\n").encode(), "1-a"), ServerSentEvent("more", b"{}"))
        told = b'id: 1-a\nevent: said\ndata: "h\\u00e9llo\\n"\n\nevent: more\ndata: {}\n\n'
        assert await answer.content.readexactly(len(told)) == told
        rig.source.end()
        assert await answer.content.read() == b""


async def test_events_are_compressed_for_who_can_take_that_and_whole_as_soon_as_they_are_there():
    http = aiohttp.ClientSession(auto_decompress=False)
    async with serving() as rig, http, http.get(rig.url, headers={"Accept-Encoding": "br, gzip"}) as answer:
        assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
        decoder, decoded, sent = zlib.decompressobj(31), b"", 0
        for number in range(3):
            told = ServerSentEvent("said", LONG, str(number))
            rig.source.tell(told)
            while not decoded.endswith(told.encoded()):
                sent += len(piece := await answer.content.readany())
                decoded += decoder.decompress(piece)
        rig.source.end()
        decoded += decoder.decompress(await answer.content.read())
    assert decoder.eof
    assert sent < 1000 < 3 * len(LONG) < len(decoded)


async def test_a_head_request_is_answered_without_listening(http):
    async with serving() as rig, http.head(rig.url) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
        assert len(rig.streams) == 0


async def test_a_silent_stream_has_signs_of_life_and_loses_nothing_because_of_them(http):
    async with serving(heartbeat_seconds=0.01) as rig, http.get(rig.url) as answer:
        await answer.content.readuntil(b"\n\n")
        for number in range(20):
            assert await answer.content.readuntil(b"\n\n") == b":\n\n"
            rig.source.tell(ServerSentEvent("said", b"%d" % number))
            while (block := await answer.content.readuntil(b"\n\n")) == b":\n\n":
                pass
            assert block == b"event: said\ndata: %d\n\n" % number


async def test_a_place_that_moves_is_told_with_the_signs_of_life(http):
    async with serving(heartbeat_seconds=0.01) as rig, http.get(rig.url) as answer:
        for place in ("7", "8"):
            rig.source.place = place
            while await answer.content.readuntil(b"\n\n") != b"id: %b\n\n" % place.encode():
                pass


async def test_who_goes_away_is_noticed_though_nothing_happens(http):
    async with serving(heartbeat_seconds=0.01) as rig:
        async with http.get(rig.url) as answer:
            await answer.content.readuntil(b"\n\n")
            assert len(rig.streams) == 1
        await left(rig)


async def test_who_may_not_listen_any_more_is_told_nothing_more(http):
    async with serving(heartbeat_seconds=0.01) as rig, http.get(rig.url) as answer:
        await answer.content.readuntil(b"\n\n")
        rig.is_permitted = False
        assert re.fullmatch(rb"(:\n\n)*", await answer.content.read())


async def connected(rig):
    """A connection of which little is kept on this side before it is read."""
    taken = with_little_room((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("", 0)))
    taken.setblocking(False)
    await asyncio.get_running_loop().sock_connect(taken, ("127.0.0.1", aiohttp.client.URL(rig.url).port))
    return await asyncio.open_connection(sock=taken, limit=1024)


async def test_one_who_reads_nothing_is_cut_off_while_little_waits_for_it_and_others_go_on(http):
    async with serving(patience_seconds=0.5) as rig:
        rig.source = source = Endless()
        reader, writer = await connected(rig)
        writer.write(ASKED % http.headers["Accept-Encoding"].encode())
        await reader.readline()
        await left(rig)
        # What the system takes in on both sides of the connection counts, too: some hundred KiB.
        assert source.given * LARGE < 8 * 1024 * 1024
        rig.source = other = Told()
        async with http.get(rig.url) as answer:
            other.tell(ServerSentEvent("said", b"1", "1"))
            await answer.content.readuntil(b"id: 1\nevent: said\ndata: 1\n\n")
        writer.close()


async def test_of_much_that_is_told_at_once_little_waits_for_one_who_reads_nothing(http):
    """All who are told the same share it; what waits in a connection is that connection's own."""
    much = ServerSentEvent("much", b64encode(Random(1).randbytes(4 * 1024 * 1024)), "1")
    async with serving(patience_seconds=0.5) as rig:
        reader, writer = await connected(rig)
        writer.write(ASKED % http.headers["Accept-Encoding"].encode())
        await reader.readline()
        waiting = []
        rig.source.tell(much)
        while len(rig.streams):
            waiting.append(rig.transport.get_write_buffer_size())
            await asyncio.sleep(0.01)
        assert 0 < max(waiting) < 256 * 1024
        writer.close()


async def test_one_who_leaves_even_little_unread_is_cut_off(http):
    """Too little for any write to wait."""
    async with serving(heartbeat_seconds=0.05, patience_seconds=0.5) as rig:
        rig.source, endless = Told(), Endless()
        reader, writer = await connected(rig)
        writer.write(ASKED % http.headers["Accept-Encoding"].encode())
        await reader.readline()
        while len(rig.streams):
            rig.source.tell(*await endless.next())
            await asyncio.sleep(0.01)
        writer.close()


async def test_at_the_end_all_are_let_go_at_once_and_who_comes_then_is_told_when_to_come_back(http):
    async with serving() as rig:
        answers = [await http.get(rig.url) for _ in range(5)]
        for answer in answers:
            await answer.content.readuntil(b"\n\n")
        rig.streams.end()
        for answer in answers:
            assert await answer.content.read() == b""
        await left(rig)
        async with http.get(rig.url) as answer:
            assert answer.status == 200
            assert re.fullmatch(rb"retry: \d{4}\n\n", await answer.content.read())


async def test_at_the_end_one_who_does_not_read_is_not_waited_for(http):
    async with serving() as rig:
        rig.source = source = Endless()
        reader, writer = await connected(rig)
        writer.write(ASKED % http.headers["Accept-Encoding"].encode())
        await reader.readline()
        given = -1
        while given != source.given:  # until it is stuck in a write
            given = source.given
            await asyncio.sleep(0.2)
        rig.streams.end()
        await left(rig)
        writer.close()


async def test_there_are_so_many_listeners_and_no_more_and_one_caller_gets_half_of_them(http):
    async with serving(most=4, heartbeat_seconds=0.01) as rig:
        held = [await http.get(rig.url) for _ in range(2)]
        assert (await http.get(rig.url)).status == 429
        assert str(rig.refused.pop()) == (
            "This project has 2 listeners connected, which is half of what the service takes; close some of them."
        )
        rig.caller = "proj_2"
        held += [await http.get(rig.url) for _ in range(2)]
        rig.caller = "proj_3"
        assert (await http.get(rig.url)).status == 429
        assert str(rig.refused.pop()) == (
            "4 listeners are connected, which is as many as the service takes; try again later."
        )
        for answer in held:
            answer.close()
        await left(rig)
        assert (await http.get(rig.url)).status == 200
        assert not rig.refused


async def test_a_fault_of_the_service_ends_the_stream_and_nothing_is_written_into_it(http):
    class Broken:
        async def next(self):
            raise ValueError("a fault")

    async with serving() as rig:
        rig.source = Broken()
        async with http.get(rig.url) as answer:
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.content.read()
        await left(rig)
