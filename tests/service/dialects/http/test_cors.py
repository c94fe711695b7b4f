"""Every policy, over a small dialect; `tests/end_to_end/test_cors.py` has the real ones under that of development."""

from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from service.dialects.http.cors import Cors
from service.dialects.http.operation import Operation, ReferencePart
from service.dialects.http.origins import Origins
from service.dialects.registry import DIALECTS
from service.runtime.web import errors

PAGE, FOREIGN = "https://app.example", "https://elsewhere.example"

PART = ReferencePart(
    name="Small",
    summary="",
    operations=(
        Operation(method="GET", path="/v1/things/{name}", summary="", answers={}, security="key"),
        Operation(method="PUT", path="/v1/signed/{name}", summary="", answers={}, is_signed=True),
    ),
    security_schemes={"key": {"type": "http", "scheme": "bearer"}},
)


async def answer(request):
    return web.Response(text="read", headers={"ETag": '"1"', "Vary": "Accept"})


async def streamed(request):
    response = web.StreamResponse(headers={"ETag": '"1"'})
    await response.prepare(request)
    await response.write(b"read")
    response.force_close()
    return response


async def broken(request):
    raise RuntimeError("a defect")


async def refused(request):
    raise web.HTTPConflict


@asynccontextmanager
async def served(setting):
    cors = Cors(Origins.parse(setting), [PART], ["/v1/", "/exactly"])
    app = web.Application(middlewares=[errors([dialect.api() for dialect in DIALECTS]), cors.preflights()])
    app.router.add_get("/v1/things/streamed", streamed)
    app.router.add_get("/v1/things/broken", broken)
    app.router.add_get("/v1/things/refused", refused)
    app.router.add_get("/v1/things/{name}", answer)
    app.router.add_put("/v1/signed/{name}", answer)
    for path in ("/exactly", "/exactlynot", "/other"):
        app.router.add_get(path, answer)
    app.on_response_prepare.append(cors.tell)
    async with TestServer(app) as server, aiohttp.ClientSession(server.make_url("/")) as http:
        yield http


def about_origins(got):
    names = ("Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Vary")
    return tuple(got.headers.get(name) for name in names)


EXPOSED = "ETag, Content-Length"


@pytest.mark.parametrize(
    ("setting", "origin", "told"),
    [
        (PAGE, PAGE, (PAGE, EXPOSED, "Accept, Origin")),
        (PAGE, FOREIGN, (None, None, "Accept, Origin")),
        (PAGE, "null", (None, None, "Accept, Origin")),
        (PAGE, None, (None, None, "Accept, Origin")),
        (f"{PAGE}, null", "null", ("null", EXPOSED, "Accept, Origin")),
        ("*", FOREIGN, ("*", EXPOSED, "Accept")),
        ("*", "null", ("*", EXPOSED, "Accept")),
        ("*", None, ("*", EXPOSED, "Accept")),
        ("none", PAGE, (None, None, "Accept")),
        ("none", None, (None, None, "Accept")),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_answer_can_be_read_by_pages_of_the_origins_that_are_set(setting, origin, told, method):
    async with (
        served(setting) as http,
        http.request(method, "/v1/things/1", headers={"Origin": origin} if origin else {}) as got,
    ):
        assert (got.status, about_origins(got)) == (200, told)


@pytest.mark.parametrize("setting", [PAGE, "*", "none"])
@pytest.mark.parametrize("origin", [PAGE, FOREIGN, "null"])
async def test_a_signed_url_is_open_to_every_origin_whatever_is_set(setting, origin):
    asked = {"Origin": origin, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Private-Network": "true"}
    async with served(setting) as http:
        async with http.put("/v1/signed/1", headers={"Origin": origin}) as got:
            assert (got.status, about_origins(got)) == (200, ("*", EXPOSED, "Accept"))
        async with http.options("/v1/signed/1", headers=asked) as got:
            assert (got.status, got.headers["Access-Control-Allow-Origin"]) == (204, "*")
            assert got.headers["Access-Control-Allow-Private-Network"] == "true"
            assert "Authorization" not in got.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    ("setting", "origin", "told"),
    [
        (PAGE, PAGE, (204, PAGE)),
        (PAGE, FOREIGN, (403, None)),
        (PAGE, "null", (403, None)),
        ("null", "null", (204, "null")),
        ("*", FOREIGN, (204, "*")),
        ("*", "null", (204, "*")),
        ("none", PAGE, (403, None)),
    ],
)
async def test_a_preflight_is_answered_as_the_setting_says(setting, origin, told):
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    async with served(setting) as http, http.options("/v1/things/1", headers=asked) as got:
        assert (got.status, got.headers.get("Access-Control-Allow-Origin")) == told
        assert "Origin" in got.headers.get("Vary", "") or setting == "none"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/things/streamed", 200),
        ("/v1/things/broken", 500),
        ("/v1/things/refused", 409),
        ("/v1/nothing", 404),
        ("/exactly", 200),
    ],
)
async def test_a_page_can_read_what_is_cut_off_what_failed_and_what_is_not_there(path, status):
    async with served(PAGE) as http, http.get(path, headers={"Origin": PAGE}) as got:
        assert (got.status, got.headers["Access-Control-Allow-Origin"]) == (status, PAGE)


@pytest.mark.parametrize("path", ["/exactlynot", "/other"])
async def test_other_paths_are_not_for_pages(path):
    async with served("*") as http:
        async with http.get(path, headers={"Origin": PAGE}) as got:
            assert (got.status, got.headers.get("Access-Control-Allow-Origin")) == (200, None)
        asked = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
        async with http.options(path, headers=asked) as got:
            assert (got.status, got.headers.get("Access-Control-Allow-Origin")) == (405, None)


@pytest.mark.parametrize("headers", [{}, {"Origin": PAGE}, {"Access-Control-Request-Method": "GET"}])
async def test_a_request_for_options_that_is_no_preflight_is_refused_as_before(headers):
    async with served("*") as http, http.options("/v1/things/1", headers=headers) as got:
        assert (got.status, got.headers["Allow"]) == (405, "GET,HEAD")
