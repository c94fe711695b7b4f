"""What goes wrong inside is a 500 in Dragon's form, which its clients try again; nothing of it is given away."""

import aiohttp
import pytest
from aiohttp import web

from adapters.blobs.port import StorageFull, StorageUnavailable
from adapters.event_log.port import LogFull, LogUnavailable
from adapters.tokens.errors import IssuerUnavailable
from domain.errors import ChunkMismatch
from service.application.streams import Contended
from service.dialects.registry import DIALECTS
from service.runtime.web import errors

UNEXPECTED = "The service failed to handle this request; try again."


@pytest.fixture
async def answers():
    """Asks a server whose one handler raises what it is given."""

    class Asked:
        error: Exception = ZeroDivisionError()

    async def fail(_: web.Request) -> web.Response:
        raise Asked.error

    application = web.Application(middlewares=[errors([dialect.api() for dialect in DIALECTS])])
    application.router.add_put("/audio/storeChunk", fail)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]

    async def ask(error: Exception):
        Asked.error = error
        url = f"http://{host}:{port}/audio/storeChunk"
        async with aiohttp.ClientSession() as http, http.put(url) as answer:
            return answer.status, await answer.json(), answer.headers["Content-Type"]

    yield ask
    await runner.cleanup()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ZeroDivisionError("secret"), UNEXPECTED),
        (KeyError("secret"), UNEXPECTED),
        (StorageFull(), "There is no room left to store this."),
        (StorageUnavailable("it is gone"), "The blob storage cannot be used: it is gone."),
        (LogFull("The event log has no room to grow."), "The event log has no room to grow."),
        (LogUnavailable("The event log cannot be read."), "The event log cannot be read."),
        (Contended(), "Too many requests are changing the recording at once; try again."),
        (IssuerUnavailable(), "The token's issuer cannot be reached to verify the token; try again."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_a_failure_inside_is_a_500_with_a_sentence(answers, error, sentence):
    assert await answers(error) == (500, {"error": sentence}, "application/json; charset=utf-8")


async def test_of_very_many_surplus_chunks_the_first_are_named(answers):
    status, body, _ = await answers(ChunkMismatch(missing=(), extra=tuple(range(2, 1_002))))
    assert status == 400
    assert body["error"].endswith("100, 101 and 900 more")
