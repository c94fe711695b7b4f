"""What browsers ask before a request from a page on another origin, and what they are answered.

The table is the API reference: every dialect, path, method and header of it, whichever they are.
"""

import re
from dataclasses import dataclass
from itertools import product

import aiohttp
import pytest

from service.generators.openapi import document
from tests.end_to_end.service_process import Answer

PAGE = "http://localhost:5173"
"""An origin that the development profile allows."""

FOREIGN = "https://elsewhere.example"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
SAFE_METHODS = ("GET", "HEAD", "POST")
"""Those that a browser sends, once a preflight succeeds, without looking for them in its answer."""

OF_PREFLIGHTS = (
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"
)
ALLOWING = ("Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers")
REFERENCE = document()
KEY_HEADERS = {
    name: scheme["name"] if scheme["type"] == "apiKey" else "Authorization"
    for name, scheme in REFERENCE["components"]["securitySchemes"].items()
}


@dataclass(frozen=True)
class Served:
    """One method at one path, as the API reference has it."""

    method: str
    template: str

    def __str__(self):
        return f"{self.method} {self.template}"

    @property
    def told(self):
        return REFERENCE["paths"][self.template][self.method.lower()]

    @property
    def path(self):
        return re.sub(r"\{\w+\}", "x1", self.template)

    @property
    def is_signed(self):
        return "signature" in {one["name"] for one in self.told.get("parameters", [])}

    @property
    def is_refused_without_permission(self):
        return self.is_signed or "security" in self.told

    @property
    def key_headers(self):
        return [KEY_HEADERS[name] for scheme in self.told.get("security", []) for name in scheme]

    @property
    def headers(self):
        """What the reference says that a request may have, and what all may have."""
        named = [one["name"] for one in self.told.get("parameters", []) if one["in"] == "header"]
        return [*self.key_headers, *named, "Content-Type", "Accept", "x-correlation-id"]


SERVED = [Served(method.upper(), path) for path, methods in REFERENCE["paths"].items() for method in methods]
each_operation = pytest.mark.parametrize("served", SERVED, ids=str)


def methods_at(path):
    found = {one.method for one in SERVED if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one.template), path)}
    return found | {"HEAD"} if "GET" in found else found


class Browser:
    """Asks as a browser does, and concludes what a browser would (the Fetch standard, "CORS-preflight fetch")."""

    def __init__(self, url, http):
        self._url = url
        self._http = http

    async def ask(self, method, path, headers=(), *, origin=PAGE, **more):
        asked = {"Origin": origin, "Access-Control-Request-Method": method} | more
        if headers:
            asked["Access-Control-Request-Headers"] = ",".join(sorted(name.lower() for name in headers))
        return await self.call("OPTIONS", path, headers=asked)

    async def would_send(self, method, path, headers=(), *, origin=PAGE):
        answer = await self.ask(method, path, headers, origin=origin)
        told = {name: answer.headers.get(name, "") for name in ALLOWING}
        methods = told["Access-Control-Allow-Methods"].split(", ")
        allowed = {name.lower() for name in told["Access-Control-Allow-Headers"].split(", ")}
        return (
            told["Access-Control-Allow-Origin"] in ("*", origin)
            and 200 <= answer.status < 300
            and (method in methods or method in SAFE_METHODS)
            and {name.lower() for name in headers} <= allowed
        )

    async def call(self, method, path, **more):
        async with self._http.request(method, self._url + path, **more) as answer:
            return Answer(answer.status, await answer.read(), answer.headers.copy())


@pytest.fixture
async def browser(service):
    async with aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as http:
        yield Browser(service.url, http)


@each_operation
async def test_a_page_that_may_call_may_send_what_the_reference_has_and_no_other_method(browser, served):
    for method in METHODS:
        is_served = method in methods_at(served.path)
        assert await browser.would_send(method, served.path) == is_served, method
    for method in {served.method, *(["HEAD"] if served.method == "GET" else [])}:
        assert await browser.would_send(method, served.path, served.headers)
        for header in served.headers:
            assert await browser.would_send(method, served.path, [header]), header


@each_operation
async def test_no_header_that_the_operation_does_not_take_is_allowed(browser, served):
    foreign = {"X-Unknown", "Cookie", "X-Forwarded-For", "Host"} | set(KEY_HEADERS.values())
    if served.is_refused_without_permission:
        for header in foreign - set(served.key_headers):
            assert not await browser.would_send(served.method, served.path, [header]), header
    assert not await browser.would_send(served.method, served.path, [*served.headers, "X-Unknown"])
    answer = await browser.ask(served.method, served.path, ["X-Unknown"])
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*" if served.is_signed else PAGE)


@each_operation
async def test_a_page_that_may_not_call_may_use_signed_urls_and_nothing_else(browser, served):
    for method, origin in product(METHODS, [FOREIGN, "null", "http://localhost.evil.example"]):
        is_allowed = served.is_signed and method in methods_at(served.path)
        assert await browser.would_send(method, served.path, origin=origin) == is_allowed, (method, origin)
    refused = await browser.ask(served.method, served.path, origin=FOREIGN)
    if served.is_signed:
        assert (refused.status, refused.headers["Access-Control-Allow-Origin"]) == (204, "*")
    else:
        assert refused.status == 403
        assert b"TAPEDECK_CORS_ORIGINS" in refused.body
        assert not [name for name in refused.headers if name.startswith("Access-Control-")]


@pytest.mark.parametrize("served", [one for one in SERVED if one.is_refused_without_permission], ids=str)
async def test_a_request_that_no_preflight_precedes_does_nothing_without_a_key(browser, api, served):
    """A form of any page in the world can be sent as `text/plain`, without asking before."""
    before = (await api.call("GET", "/v1/recordings?limit=1")).json
    body = None if served.method == "GET" else b'{"streaming": true, "end_user_id": "eu_1"}'
    for origin in (FOREIGN, PAGE):
        headers = {"Origin": origin, "Content-Type": "text/plain"}
        answer = await browser.call(served.method, served.path, data=body, headers=headers)
        assert answer.status == (403 if served.is_signed else 401)
        readable_by = "*" if served.is_signed else PAGE if origin == PAGE else None
        assert answer.headers.get("Access-Control-Allow-Origin") == readable_by
    assert (await api.call("GET", "/v1/recordings?limit=1")).json["data"] == before["data"]


EXACTLY = {
    ("POST", "/v1/recordings"): (
        "GET, HEAD, POST",
        "Authorization, Bota-Version, Accept, Content-Type, x-correlation-id, Content-Encoding, Idempotency-Key",
    ),
    ("DELETE", "/v1/recordings/rec_1"): (
        "DELETE, GET, HEAD",
        "Authorization, Bota-Version, Idempotency-Key, Accept, Content-Type, x-correlation-id",
    ),
    ("PUT", "/v1/uploads/proj_1/rec_1/chunk_1.webm"): (
        "PUT",
        "Accept, Content-Type, x-correlation-id, Content-Encoding, Content-MD5",
    ),
    ("GET", "/v1/downloads/rec_1.wav"): (
        "GET, HEAD",
        "Accept, Content-Type, x-correlation-id, Range, If-Range, If-None-Match",
    ),
    ("POST", "/api/consultations/transcribe"): (
        "POST",
        "Api-Key, Client-Key, Accept, Content-Type, x-correlation-id, Content-Encoding, Idempotency-Key",
    ),
    ("PUT", "/audio/storeChunk"): ("PUT", "Authorization, Accept, Content-Type, Content-Encoding, x-correlation-id"),
    ("PUT", "/ambient-sessions"): ("PUT", "Authorization, Accept, Content-Type, x-correlation-id, Content-Encoding"),
}


@pytest.mark.parametrize(("asked", "told"), EXACTLY.items(), ids=[" ".join(asked) for asked in EXACTLY])
async def test_the_whole_answer_to_a_preflight(browser, asked, told):
    method, path = asked
    answer = await browser.ask(method, path, ["Content-Type"], **{"Access-Control-Request-Private-Network": "true"})
    assert (answer.status, answer.body) == (204, b"")
    headers = answer.headers.popall("Access-Control-Allow-Headers").pop().split(", ")
    assert sorted(headers) == sorted(told[1].split(", "))
    about_origins = {name: value for name, value in answer.headers.items() if name.startswith(("Access-", "Vary"))}
    is_signed = path.startswith(("/v1/uploads", "/v1/downloads"))
    assert about_origins == {
        "Access-Control-Allow-Origin": "*" if is_signed else PAGE,
        "Access-Control-Allow-Methods": told[0],
        "Access-Control-Max-Age": "7200",
        "Access-Control-Allow-Private-Network": "true",
        "Vary": OF_PREFLIGHTS,
    }


async def test_private_networks_are_spoken_of_only_to_who_asks_and_may_call(browser):
    allows = "Access-Control-Allow-Private-Network"
    asks = {"Access-Control-Request-Private-Network": "true"}
    assert allows not in (await browser.ask("POST", "/v1/recordings")).headers
    refused = await browser.ask("POST", "/v1/recordings", origin=FOREIGN, **asks)
    assert allows not in refused.headers


async def test_a_path_or_a_method_that_does_not_exist_is_refused_as_the_request_itself_is(browser):
    missing = await browser.ask("GET", "/v1/recording")
    assert (missing.status, missing.json["error"]["type"]) == (404, "not_found")
    other = await browser.ask("PATCH", "/v1/recordings")
    assert (other.status, other.headers["Allow"]) == (405, "GET,HEAD,POST")
    assert other.json["error"]["message"] == "/v1/recordings accepts GET,HEAD,POST, not PATCH."
    assert other.headers["Vary"] == OF_PREFLIGHTS
    of_dragon = await browser.ask("GET", "/audio/storeChunk")
    assert (of_dragon.status, of_dragon.json) == (405, {"error": "/audio/storeChunk accepts PUT, not GET."})


@pytest.mark.parametrize("asked", ["P\u00d6ST", "x" * 1000, "GET POST", ""])
async def test_a_method_that_is_none_is_no_preflight(browser, asked):
    answer = await browser.ask(asked, "/v1/recordings")
    assert answer.status == 405
    assert "Access-Control-Allow-Methods" not in answer.headers


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/docs", "/dev/issuer/token"])
async def test_what_operators_use_is_not_for_pages(browser, path):
    assert not await browser.would_send("GET", path)
    answer = await browser.call("GET", path, headers={"Origin": PAGE})
    assert not {name for name in answer.headers if name.startswith(("Access-Control", "Vary"))}


async def test_the_api_reference_can_be_read_by_pages_that_may_call(browser):
    for origin, told in ((PAGE, PAGE), (FOREIGN, None)):
        answer = await browser.call("GET", "/openapi.json", headers={"Origin": origin})
        assert (answer.status, answer.headers.get("Access-Control-Allow-Origin")) == (200, told)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/recordings", 401),
        ("GET", "/v1/nothing", 404),
        ("DELETE", "/v1/recordings", 405),
        ("POST", "/api/consultations/transcribe", 401),
        ("PUT", "/audio/storeChunk?api-version=2025-07-15", 401),
    ],
)
async def test_a_page_that_may_call_can_read_refusals(browser, method, path, status):
    answer = await browser.call(method, path, headers={"Origin": PAGE})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, PAGE)
    assert answer.headers["Vary"] == "Origin"
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert "x-correlation-id" in exposed
    assert ("X-RateLimit-Remaining" in exposed) == path.startswith("/v1/")
    foreign = await browser.call(method, path, headers={"Origin": FOREIGN})
    assert (foreign.status, foreign.headers["Vary"]) == (status, "Origin")
    assert not [name for name in foreign.headers if name.startswith("Access-Control-")]


async def test_a_body_that_is_too_large_is_refused_where_a_page_can_read_it(browser, service):
    key = {"Authorization": f"Bearer {service.credentials['api_key']}"}
    answer = await browser.call("POST", "/v1/recordings", data=b" " * 300_000, headers={"Origin": PAGE} | key)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (413, PAGE)


async def test_what_an_answer_has_for_its_client_can_be_read_and_no_more(browser, api):
    recording = await api.upload([b"0123456789"])
    template = recording["chunk_upload_url_template"].removeprefix(api.url)
    put = await browser.call("PUT", template.replace("{part}", "1"), data=b"0123", headers={"Origin": FOREIGN})
    assert (put.status, put.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert exposed(put) == {
        "etag",
        "content-length",
        "x-correlation-id",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    }
    key = {"Authorization": f"Bearer {api._token}"}
    path = f"/v1/recordings/{recording['id']}/chunks/1"
    part = await browser.call("GET", path, headers={"Origin": PAGE, "Range": "bytes=1-2"} | key)
    assert (part.status, part.body, part.headers["Access-Control-Allow-Origin"]) == (206, b"12", PAGE)
    assert exposed(part) == exposed(put) | {"accept-ranges", "content-disposition", "content-range"}


def exposed(answer):
    return {name.lower() for name in answer.headers["Access-Control-Expose-Headers"].split(", ")}


async def test_a_client_that_is_no_browser_sees_nothing_of_it_but_what_caches_need(browser, api):
    recording = await api.upload([b"0123456789"])
    template = recording["chunk_upload_url_template"].removeprefix(api.url)
    put = await browser.call("PUT", template.replace("{part}", "1"), data=b"0123")
    assert not {"Vary", *ALLOWING} & set(put.headers)
    read = await browser.call("GET", "/v1/recordings")
    assert read.headers["Vary"] == "Origin"
    assert not set(ALLOWING) & set(read.headers)
    signed = await browser.call("HEAD", "/v1/downloads/rec_1.wav")
    assert (signed.status, signed.headers["Access-Control-Allow-Origin"]) == (403, "*")


async def test_no_answer_ever_allows_cookies(browser):
    for served in SERVED:
        answers = [
            await browser.ask(served.method, served.path),
            await browser.call(served.method, served.path, headers={"Origin": PAGE, "Cookie": "a=b"}),
        ]
        assert not [answer for answer in answers if "Access-Control-Allow-Credentials" in answer.headers]
