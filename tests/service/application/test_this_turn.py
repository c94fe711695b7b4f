"""Answers that are kept for one turn of the event loop."""

import asyncio
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvloop
from aiohttp import web
from aiohttp.test_utils import TestServer

from service.application.metrics import Metrics
from service.application.this_turn import ThisTurn
from service.dialects.http.tracing import tracing


class Asked:
    """Answers with how often it was asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, _key: str) -> int:
        self.times += 1
        return self.times


async def test_a_turn_asks_once_for_each_key():
    asked = Asked()
    answers = ThisTurn(asked)

    assert [answers.of("a"), answers.of("a"), answers.of("b"), answers.of("a")] == [1, 1, 2, 1]


async def test_what_arrives_later_is_answered_anew():
    asked, heard, loop = Asked(), [], asyncio.get_running_loop()
    answers = ThisTurn(asked)
    answers.of("a")
    later: asyncio.Future[None] = loop.create_future()
    loop.call_soon(later.set_result, None)  # as the arrival of a request wakes its handler

    await later
    heard.append(answers.of("a"))

    assert heard == [2]


async def test_requests_that_arrived_together_share_an_answer():
    answers, heard = ThisTurn(Asked()), []

    async def handle() -> None:
        heard.append(answers.of("a"))

    await asyncio.gather(*(handle() for _ in range(5)))

    assert heard == [1] * 5


async def test_a_failure_is_not_kept():
    failures = iter([OSError("the file is gone")])

    def ask(_key: str) -> str:
        for failure in failures:
            raise failure
        return "found"

    answers = ThisTurn(ask)
    with pytest.raises(OSError, match="gone"):
        answers.of("a")

    assert answers.of("a") == "found"


def test_outside_of_a_loop_every_answer_is_asked_for():
    answers = ThisTurn(Asked())

    assert [answers.of("a"), answers.of("a")] == [1, 2]


async def test_a_thread_shares_no_answer_of_the_loop():
    answers = ThisTurn(Asked())

    assert answers.of("a") == 1
    with ThreadPoolExecutor() as pool:
        assert pool.submit(answers.of, "a").result() == 2


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_request_is_answered_with_what_was_changed_just_before_it_was_sent(new_loop):
    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(answered_after_a_change()) == [b"before", b"after"]


async def answered_after_a_change():
    """Two requests on one connection. As the first one's handler ends, another task asks, what it asked for is changed,
    and the second request is sent, all in one turn of the loop."""
    told, may_end, loop = b"before", asyncio.Event(), asyncio.get_running_loop()
    answers = ThisTurn(lambda _: told)

    async def handle(request):
        if request.path == "/first":
            answer = answers.of("it")
            begun.set_result(None)
            await may_end.wait()
            return web.Response(body=answer)
        return web.Response(body=answers.of("it"))

    def change():
        nonlocal told
        answers.of("it")
        told = b"after"
        client.sendall(b"GET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    begun = loop.create_future()
    app = web.Application(middlewares=[tracing(Metrics())])
    app.router.add_get("/{path}", handle)
    async with TestServer(app, host="127.0.0.1") as server:
        with socket.create_connection((server.host, server.port)) as client:
            client.sendall(b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
            await begun
            may_end.set()
            loop.call_soon(change)
            answered = await asyncio.to_thread(_all_of, client)
    return re.findall(rb"before|after", answered)


def _all_of(client):
    with client.makefile("rb") as file:
        return file.read()
