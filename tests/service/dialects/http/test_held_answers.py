"""Large answers count as held until their clients have taken them, and no client may leave one lying for ever."""

import asyncio
import socket
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from aiohttp import web

from service.dialects.http.held_answers import UNCOUNTED_BYTES, held_answers
from service.dialects.http.held_bytes import CALLER, HeldBytes, TooMuchHeld
from service.dialects.http.tracing import CLIENT_GONE, STATUS_TOLD

LARGE = 16 * 1024 * 1024
"""More than all buffers between a service and a client that does not read."""


class Server:
    def __init__(self, budget, told):
        self.budget = budget
        self.told = told

    async def get(self, size, caller="one"):
        url = f"http://127.0.0.1:{self.port}/{size}"
        async with aiohttp.ClientSession() as http, http.get(url, headers={"caller": caller}) as answer:
            return answer.status, len(await answer.read())

    @asynccontextmanager
    async def client_that_does_not_read(self, size, caller="one"):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", self.port))
            client.sendall(b"GET /%d HTTP/1.1\r\nHost: x\r\ncaller: %b\r\n\r\n" % (size, caller.encode()))
            while not self.budget.held_bytes:
                await asyncio.sleep(0.01)
            yield client


@pytest.fixture
async def serve():
    """Starts a server whose answers are as large as their path says."""
    runners = []

    async def serve(most_bytes=3 * LARGE, clock=None, **settings):
        budget, told = HeldBytes(most_bytes, **{"clock": clock} if clock else {}), []

        @web.middleware
        async def answer_errors(request, handler):
            try:
                response = await handler(request)
            except TooMuchHeld as error:
                return web.Response(status=503, text=str(error))
            told.append(request.get(STATUS_TOLD, response.status))
            return response

        async def answer(request):
            request[CALLER] = request.headers["caller"]
            return web.Response(body=bytes(int(request.match_info["size"])))

        app = web.Application(middlewares=[answer_errors, held_answers(budget, **settings)])
        app.router.add_get("/{size}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server = Server(budget, told)
        server.port = runner.addresses[0][1]
        return server

    yield serve
    for runner in runners:
        await runner.cleanup()


async def test_an_answer_that_is_not_taken_counts_and_others_are_refused_only_what_does_not_fit(serve):
    server = await serve()
    async with server.client_that_does_not_read(LARGE):
        assert server.budget.held_bytes == LARGE
        assert (await server.get(LARGE))[0] == 503
        assert await server.get(LARGE, caller="another") == (200, LARGE)
        assert await server.get(UNCOUNTED_BYTES) == (200, UNCOUNTED_BYTES)
    while server.budget.held_bytes:
        await asyncio.sleep(0.01)
    assert await server.get(LARGE) == (200, LARGE)
    assert CLIENT_GONE in server.told


async def test_an_answer_larger_than_what_a_caller_may_hold_is_given_when_that_caller_holds_nothing(serve):
    server = await serve(most_bytes=LARGE)
    assert await server.get(LARGE) == (200, LARGE)
    assert server.budget.held_bytes == 0


async def test_an_answer_that_nobody_takes_ends(serve):
    server = await serve(patience_seconds=-LARGE)  # the pace's own time is over, too
    assert await _taken_before_the_end(server) < LARGE
    assert (server.budget.held_bytes, server.told) == (0, [CLIENT_GONE])


async def _taken_before_the_end(server):
    """How much comes of an answer that is not read until its connection has ended."""
    with socket.socket() as client:
        client.setblocking(False)
        loop, taken = asyncio.get_running_loop(), 0
        await loop.sock_connect(client, ("127.0.0.1", server.port))
        await loop.sock_sendall(client, b"GET /%d HTTP/1.1\r\nHost: x\r\ncaller: one\r\n\r\n" % LARGE)
        while not server.told:
            await asyncio.sleep(0.01)
        with suppress(ConnectionError):
            while piece := await loop.sock_recv(client, LARGE):
                taken += len(piece)
        return taken


async def test_an_answer_that_is_taken_slowly_gives_way_to_another(serve):
    seconds = [0.0]
    server = await serve(clock=lambda: seconds[0])
    async with server.client_that_does_not_read(LARGE):
        seconds[0] = 3600.0
        assert await server.get(LARGE) == (200, LARGE)
    while server.budget.held_bytes:
        await asyncio.sleep(0.01)
    assert sorted(server.told) == [200, CLIENT_GONE]
