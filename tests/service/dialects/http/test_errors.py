"""An error is answered by the dialect whose request it was, by the row of its nearest type."""

import logging

import aiohttp
import pytest
from aiohttp import web

from adapters.blobs.port import StorageFull
from adapters.event_log.port import LogFull, LogUnavailable
from domain.errors import ChunkMismatch, RecordingNotFound
from service.dialects.http.api import Api
from service.dialects.http.errors import ErrorTable, Row
from service.dialects.http.limits import BodyTooLarge
from service.dialects.http.operation import ReferencePart
from service.runtime.web import errors


class Busy(Exception):
    pass


class Lost(Exception):
    """Raised by a check."""


def dialect(name, rows, **more):
    table = ErrorTable(
        rows,
        lambda told: web.json_response([name, told.code, told.sentence], status=told.status, headers=told.headers),
        **more.pop("table", {}),
    )
    reference = ReferencePart(name=name, summary="", operations=())
    return Api(paths=(f"/{name}/",), errors=table, reference=reference, install=lambda *_: None, **more)


def lost(request):
    return "lost" in request.query


def refuse_the_lost(request):
    if lost(request):
        raise Lost("wrong host")


@pytest.fixture
async def ask():
    """Asks a server of two dialects whose handlers raise what they are told to."""
    first = dialect("first", {LogUnavailable: Row(500, "log"), Busy: Row(503, "busy", {"Retry-After": "9"}, "Later.")})
    second = dialect(
        "second", {Lost: Row(403)}, claims=lost, check=refuse_the_lost, table={"worded": repr, "answers_all": True}
    )
    raised: list[Exception] = []

    async def fail(_: web.Request) -> web.Response:
        raise raised.pop()

    app = web.Application(middlewares=[errors([first, second])])
    app.router.add_get("/{dialect}/fail", fail)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]

    async def ask(path, error=None, method="GET"):
        raised[:] = [error] if error else []
        async with aiohttp.ClientSession() as http, http.request(method, f"http://{host}:{port}{path}") as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else await answer.text(), answer.headers

    yield ask
    await runner.cleanup()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RecordingNotFound(), 404, "recording_not_found"),
        (BodyTooLarge(1), 413, "payload_too_large"),
        (StorageFull(), 507, "storage_full"),
        (ChunkMismatch(missing=(1,), extra=()), 409, "chunk_mismatch"),
        (LogUnavailable("gone"), 500, "log"),  # the dialect's own row
        (LogFull("full"), 500, "log"),  # so is that of a type above
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_what_dialects_share_needs_no_row_and_a_row_of_their_own_goes_first(ask, error, status, code):
    assert (await ask("/first/fail", error))[:2] == (status, ["first", code, str(error)])


async def test_a_row_may_have_its_own_sentence_and_headers(ask):
    status, body, headers = await ask("/first/fail", Busy("inside"))
    assert (status, body, headers["Retry-After"]) == (503, ["first", "busy", "Later."], "9")


async def test_a_dialect_words_an_error_as_it_likes(ask):
    assert (await ask("/second/fail", RecordingNotFound()))[1][2] == "RecordingNotFound('There is no such recording.')"


async def test_another_dialects_own_error_is_a_defect_and_tells_nothing(ask, caplog):
    with caplog.at_level(logging.ERROR):
        status, body, _ = await ask("/second/fail", Busy("inside"))
    assert (status, body[0], "inside" in body[2]) == (500, "second", False)
    assert "failed unexpectedly" in caplog.text


async def test_a_path_that_is_nobodys_is_answered_by_the_first(ask):
    assert (await ask("/nowhere"))[:2] == (404, ["first", "not_found", "There is nothing at /nowhere."])
    status, body, headers = await ask("/second/fail", method="PUT")
    assert (status, body) == (405, ["second", "method_not_allowed", "/second/fail accepts GET,HEAD, not PUT."])
    assert headers["Allow"] == "GET,HEAD"


async def test_what_a_dialect_claims_is_its_own_wherever_it_goes_and_its_check_comes_first(ask):
    for path in ("/first/fail?lost", "/second/fail?lost", "/nowhere?lost"):
        assert (await ask(path, Busy()))[:2] == (403, ["second", "", "Lost('wrong host')"])


async def test_other_refusals_of_the_framework_are_its_own_unless_the_dialect_answers_all(ask):
    status, body, _ = await ask("/first/fail", web.HTTPGone())
    assert (status, body) == (410, "410: Gone")
    assert (await ask("/second/fail", web.HTTPGone()))[:2] == (410, ["second", "refused", "Gone"])
