"""Every row of "Answers" in Dragon's reference to the letter, and the order of checks."""

import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from tests.adapters.tokens.issuer import OTHER, PARTNER
from tests.end_to_end.dragon_client import AUDIO, JSON, SESSIONS, SUCCESS, Dragon, chunk_form, error_of

PLAIN = "text/plain; charset=utf-8"
CHALLENGE = 'Bearer realm="tapedeck"'
STORE, FINALIZE = f"/audio/storeChunk?{AUDIO}", f"/audio/finalizeUpload?{AUDIO}"


@pytest.fixture
def dragon(trusted) -> Dragon:
    return trusted.dragon()


def refused(challenge: str) -> dict[str, str]:
    return {"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token", error_description="{challenge}"'}


@dataclass
class Row:
    """One request to both audio calls that differs from a good one in what is named, and its answer."""

    status: int
    error: str | None
    content_type: str = JSON
    bearer: str | None = None
    claims: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    query: str = AUDIO
    headers: dict[str, str] = field(default_factory=dict)
    trace: str | None = "new"
    announced: bool = True
    answered: dict[str, str] = field(default_factory=dict)


ROWS = {
    "success": Row(200, None),
    "no token": Row(
        401,
        "A bearer token is required in the Authorization header.",
        PLAIN,
        bearer="none",
        answered={"WWW-Authenticate": CHALLENGE},
    ),
    "a token in the query string": Row(
        401,
        "A bearer token is required in the Authorization header.",
        PLAIN,
        bearer="in the query",
        answered={"WWW-Authenticate": CHALLENGE},
    ),
    "another scheme": Row(
        401,
        "A bearer token is required in the Authorization header.",
        PLAIN,
        headers={"Authorization": "Basic dTpw"},
        answered={"WWW-Authenticate": CHALLENGE},
    ),
    "no JWT": Row(
        401,
        "The token is not a signed JWT.",
        PLAIN,
        bearer="sk_live_1",
        answered=refused("The token is not a signed JWT."),
    ),
    "expired": Row(401, "The token has expired.", PLAIN, claims={"exp": 1}, answered=refused("The token has expired.")),
    "not yet valid": Row(
        401,
        "The token is not valid yet.",
        PLAIN,
        claims={"nbf": int(time.time()) + 7200},
        answered=refused("The token is not valid yet."),
    ),
    "another audience": Row(
        401,
        "The token is for another audience.",
        PLAIN,
        claims={"aud": "x"},
        answered=refused("The token is for another audience."),
    ),
    "application not listed": Row(
        401,
        "The calling application is not on the allow list.",
        claims={"azp": "stranger"},
        answered={"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'},
    ),
    "issuer not listed": Row(
        403, "The token's issuer is not on the allow list.", claims={"iss": "https://login.example.com"}
    ),
    "websocket": Row(
        403,
        "WebSocket is not served on this host; use HTTP requests.",
        headers={"Upgrade": "websocket", "Connection": "Upgrade"},
    ),
    "gRPC": Row(
        403, "gRPC is not served on this host; use HTTP requests.", headers={"Content-Type": "application/grpc+proto"}
    ),
    "api-version missing": Row(400, "api-version must be 2025-07-15", query="x=1"),
    "api-version of sessions": Row(400, "api-version must be 2025-07-15", query=SESSIONS),
    "api-version twice": Row(400, "api-version must be 2025-07-15", query=f"{AUDIO}&{AUDIO}"),
    "no trace id": Row(400, "x-correlation-id header is required", trace=None),
    "trace id is no UUID": Row(400, "x-correlation-id header must be a UUID", trace="trace-1"),
    "productId missing": Row(400, "productId is required (valid UUID)", body={"productId": None}),
    "partnerId is no UUID": Row(400, "partnerId is required (valid UUID)", body={"partnerId": "partner-1"}),
    "customerId is no string": Row(400, "customerId is required (valid UUID)", body={"customerId": 7}),
    "correlationId empty": Row(400, "correlationId is required (non-empty string)", body={"correlationId": ""}),
    "correlationId with a path": Row(
        400,
        "correlationId must be at most 128 letters, digits, '_', '-' or '|'",
        body={"correlationId": "../../etc/passwd"},
    ),
    "correlationId too long": Row(
        400, "correlationId must be at most 128 letters, digits, '_', '-' or '|'", body={"correlationId": "x" * 129}
    ),
    "recordingId zero": Row(400, "recordingId must be a positive integer (> 0)", body={"recordingId": 0}),
    "recordingId a string": Row(400, "recordingId must be a positive integer (> 0)", body={"recordingId": "1"}),
    "recordingId a bool": Row(400, "recordingId must be a positive integer (> 0)", body={"recordingId": True}),
    "recordingId a float": Row(400, "recordingId must be a positive integer (> 0)", body={"recordingId": 1.0}),
    "recordingId above int32": Row(400, "recordingId must be at most 2147483647", body={"recordingId": 2**31}),
    "another type": Row(
        400,
        "externalUserId must be a string of at most 512 characters; ehrInstanceId must be a string of at most 512 "
        "characters; skipAmbientSessionExistence must be true or false",
        body={"externalUserId": 7, "ehrInstanceId": "x" * 513, "skipAmbientSessionExistence": "true"},
    ),
    "customerId in the query differs": Row(
        400, "customerId in the query must equal the body's", query=f"{AUDIO}&customerId={OTHER}"
    ),
    "another customer": Row(
        403, "The application may not write for this customerId.", body={"customerId": OTHER}, announced=False
    ),
    "another partner": Row(403, "The application may not write for this partnerId.", body={"partnerId": OTHER}),
    "another product": Row(403, "The application may not write for this productId.", body={"productId": OTHER}),
    "all others": Row(
        403,
        "The application may not write for this customerId, partnerId, productId.",
        body={"customerId": OTHER, "partnerId": OTHER, "productId": OTHER},
    ),
    "no session": Row(404, "There is no ambient session for this correlationId.", announced=False),
    "no session, not skipped": Row(
        404,
        "There is no ambient session for this correlationId.",
        announced=False,
        body={"skipAmbientSessionExistence": False},
    ),
    "no session, skipped": Row(200, None, announced=False, body={"skipAmbientSessionExistence": True}),
}


async def ask(trusted, row: Row, call: str):
    dragon = trusted.dragon(**row.claims)
    if row.announced:
        await trusted.dragon().announce()
        good = trusted.dragon()
        good.named["correlationId"] = dragon.correlation_id
        assert (await good.announce()).status == 200
    token = {None: "own", "none": None, "in the query": None}.get(row.bearer, row.bearer)
    query = row.query + (f"&access_token={dragon.token}" if row.bearer == "in the query" else "")
    headers = dict(row.headers)
    if call == "storeChunk":
        body = chunk_form(dragon.metadata(**row.body), b"bytes")
        body = body if "Content-Type" not in headers else b"\0\0\0\0\0"
        return await dragon.call(
            "PUT", f"/audio/{call}?{query}", body=body, token=token, trace=row.trace, headers=headers
        )
    body = dragon.metadata(None, totalChunks=1, **row.body)
    return await dragon.call("POST", f"/audio/{call}?{query}", body=body, token=token, trace=row.trace, headers=headers)


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
@pytest.mark.parametrize("call", ["storeChunk", "finalizeUpload"])
async def test_each_row_of_answers_is_given_to_the_letter(trusted, row, call):
    answer = await ask(trusted, row, call)
    expected = row.error.encode() if row.content_type == PLAIN else json.dumps({"error": row.error}).encode()
    expected = expected if row.content_type == PLAIN else expected.replace(b'": ', b'":', 1)
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (row.status, expected, row.content_type)
    assert answer.headers.get("WWW-Authenticate") == row.answered.get("WWW-Authenticate")
    if row.trace == "new":
        assert answer.headers["x-correlation-id"]


async def test_several_faults_at_once_are_all_named_in_the_one_string(dragon):
    nothing = dict.fromkeys(dragon.named)
    common = (
        "productId is required (valid UUID); partnerId is required (valid UUID); customerId is required (valid UUID); "
        "correlationId is required (non-empty string); recordingId must be a positive integer (> 0); "
    )
    assert (
        await error_of(dragon.finalize(0, -1, **nothing), 400)
        == common + "totalChunks must be a positive integer (> 0)"
    )
    assert (
        await error_of(dragon.store(2**31, b"x", 0, **nothing, isLast="no"), 400)
        == "isLast must be true or false; " + common + "chunkId must be at most 50000"
    )
    assert (
        await error_of(dragon.announce(**{**nothing, "data": "{not json"}), 400)
        == common.removesuffix("recordingId must be a positive integer (> 0); ")
        + "data must be a string that holds JSON"
    )


@pytest.mark.parametrize("total", [0, -1, "5", 1.5, True, None, [1]])
async def test_a_total_that_is_no_count_is_refused(dragon, total):
    await dragon.announce()
    assert await error_of(dragon.finalize(total), 400) == "totalChunks must be a positive integer (> 0)"


@pytest.mark.parametrize("total", [50_001, 2**31, 2**63, 10**30])
async def test_a_total_above_the_most_chunks_is_refused(dragon, total):
    await dragon.announce()
    error = await error_of(dragon.finalize(total), 400)
    assert error == "totalChunks must be at most 50000"


async def test_every_number_up_to_the_most_chunks_is_one(dragon):
    await dragon.announce()
    assert (await dragon.store(50_000, b"last", 2**31 - 1)).body == SUCCESS
    assert (await dragon.finalize(50_000, 2**31 - 1)).body == SUCCESS
    assert (await dragon.store(1, None, 2**31 - 1)).body == SUCCESS


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"null", b"\xff", b"[" * 100_000])
async def test_a_finalize_that_is_no_json_object_is_refused(dragon, body):
    assert "JSON" in await error_of(dragon.call("POST", FINALIZE, body=body), 400)
    assert "JSON" in await error_of(dragon.call("PUT", f"/ambient-sessions?{SESSIONS}", body=body), 400)


async def test_a_json_body_past_its_limit_is_refused(dragon):
    body = {"correlationId": "x" * 300_000}
    assert "larger" in await error_of(dragon.call("POST", FINALIZE, body=body), 413)
    assert "larger" in await error_of(dragon.call("PUT", f"/ambient-sessions?{SESSIONS}", body=body), 413)


async def test_more_chunks_than_declared_are_named_by_finalize(dragon):
    await dragon.announce()
    for number in (1, 4, 6):
        assert (await dragon.store(number, b"x%d" % number)).status == 200
    error = await error_of(dragon.finalize(3), 400)
    assert error == "totalChunks must match the number of chunks uploaded; beyond it: 4, 6"
    assert (await dragon.finalize(6)).status == 200


HELP = "GET /audio/chunks tells how it stands and lists what is stored. Use another recordingId for another recording."


async def test_what_contradicts_a_finalize_is_a_conflict(dragon):
    await dragon.announce()
    assert (await dragon.store(1, b"bytes")).status == 200
    assert (await dragon.finalize(2)).body == SUCCESS
    assert (
        await error_of(dragon.finalize(3), 409)
        == f"The recording was finalized with totalChunks 2, which cannot change. {HELP}"
    )
    assert (
        await error_of(dragon.store(3, b"x"), 409)
        == f"chunkId 3 is above the totalChunks 2 that the recording was finalized with. {HELP}"
    )
    assert (await dragon.store(1, b"other")).status == 200
    assert (await dragon.store(2, b"last")).status == 200
    assert "chunk 1 differs from what was stored" in await error_of(dragon.store(1, b"bytes"), 409)
    assert (await dragon.store(1, b"other")).body == SUCCESS
    assert (await dragon.finalize(2)).body == SUCCESS


CONTENT_REQUIRED = "content is required for every chunk but the first and the last"


async def test_content_is_required_for_every_chunk_but_the_first_and_the_last(dragon):
    await dragon.announce()
    for content in (None, b""):
        assert await error_of(dragon.store(2, content, isLast=False), 400) == CONTENT_REQUIRED


async def test_a_chunk_without_content_that_turns_out_not_to_be_the_last_is_named_and_can_be_sent(dragon):
    await dragon.announce()
    for number, content in [(1, b"one"), (2, None), (3, b"three"), (4, None)]:
        assert (await dragon.store(number, content)).body == SUCCESS
    assert await error_of(dragon.finalize(4), 400) == f"{CONTENT_REQUIRED}; missing in: 2"
    assert (await dragon.store(2, b"two")).body == SUCCESS
    assert (await dragon.finalize(4)).body == SUCCESS


async def test_a_chunk_without_content_before_the_declared_last_one_is_refused_at_once(dragon):
    await dragon.announce()
    assert (await dragon.finalize(3, 2)).body == SUCCESS
    assert await error_of(dragon.store(2, None, 2), 400) == f"{CONTENT_REQUIRED}; missing in: 2"
    assert (await dragon.store(3, None, 2)).body == SUCCESS


async def test_a_session_of_another_partner_is_as_if_it_did_not_exist(trusted):
    with_both = trusted.issuer.allow_list(partners=[PARTNER, OTHER])
    before = trusted.allow_list.read_text()
    trusted.allow_list.write_text(with_both)
    try:
        owner = trusted.dragon()
        await owner.announce()
        other = Dragon(owner.url, owner.token, owner.named | {"partnerId": OTHER}, owner.correlation_id)
        assert "no ambient session" in await error_of(other.store(1, b"x"), 404)
        assert "no ambient session" in await error_of(other.store(1, b"x", skipAmbientSessionExistence=True), 404)
        assert "another partner" in await error_of(other.announce(), 409)
    finally:
        trusted.allow_list.write_text(before)


async def test_sessions_check_version_tenant_and_existence(dragon):
    body = dragon.named
    unversioned = dragon.call("PUT", f"/ambient-sessions?{AUDIO}", body=body)
    assert await error_of(unversioned, 400) == "api-version must be 2"
    assert "customerId" in await error_of(dragon.announce(customerId=OTHER), 400)  # the query names another
    foreign = dragon.call("PUT", f"/ambient-sessions?{SESSIONS}", body=body | {"customerId": OTHER})
    assert await error_of(foreign, 403) == "The application may not write for this customerId."
    assert "no ambient session" in await error_of(dragon.end(), 404)
    path = f"/ambient-sessions/{dragon.correlation_id}?{SESSIONS}"
    assert await error_of(dragon.call("DELETE", path), 400) == "customerId is required (valid UUID)"
    not_allowed = dragon.call("DELETE", f"{path}&customerId={OTHER}")
    assert await error_of(not_allowed, 403) == "The application may not write for this customerId."
    assert (await dragon.call("PUT", f"/ambient-sessions?{SESSIONS}", body=body, token=None)).status == 401


async def test_a_correlation_id_with_a_bar_goes_all_the_way(trusted):
    dragon = Dragon(trusted.service.url, trusted.issuer.token(), trusted.dragon().named, f"a|b_c-{uuid4().hex}")
    assert (await dragon.announce()).status == 200
    assert (await dragon.store(1, b"x")).status == 200
    assert (await dragon.end()).json["correlationId"] == dragon.correlation_id


async def test_uuids_are_the_same_in_any_case(trusted):
    dragon = trusted.dragon()
    await dragon.announce()
    upper = {name: dragon.named[name].upper() for name in ("customerId", "partnerId", "productId")}
    assert (await dragon.store(1, b"x", **upper)).status == 200


async def test_what_dragon_does_not_serve_is_said_in_its_form(dragon):
    assert await error_of(dragon.call("GET", "/audio/other"), 404) == "There is nothing at /audio/other."
    answer = await dragon.call("GET", STORE)
    assert (answer.status, answer.json, answer.headers["Allow"]) == (
        405,
        {"error": "/audio/storeChunk accepts PUT, not GET."},
        "PUT",
    )
    grpc = dragon.call("POST", "/dragon.Audio/Store", headers={"Content-Type": "application/grpc"}, body=b"")
    assert "gRPC" in await error_of(grpc, 403)
    socket = dragon.call("GET", "/stream", headers={"Upgrade": "websocket", "Connection": "Upgrade"})
    assert "WebSocket" in await error_of(socket, 403)


async def test_checks_come_in_their_order(trusted):
    """With everything wrong at once, each thing put right shows the next: protocol, token, version, trace id, body,
    tenant, session."""
    dragon = trusted.dragon()
    wrong = {
        "token": "x",
        "query": "x=1",
        "trace": "x",
        "upgrade": True,
        "fields": {"recordingId": 0, "partnerId": OTHER},
    }

    async def errors():
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"} if wrong["upgrade"] else {}
        body = dragon.named | {"recordingId": 1, "totalChunks": 1} | wrong["fields"]
        path = f"/audio/finalizeUpload?{wrong['query']}"
        answer = await dragon.call("POST", path, body=body, token=wrong["token"], trace=wrong["trace"], headers=headers)
        return answer.status, answer.body.decode()

    seen = []
    for change in (
        {},
        {"upgrade": False},
        {"token": "own"},
        {"query": AUDIO},
        {"trace": "new"},
        {"fields": {"partnerId": OTHER}},
        {"fields": {}},
    ):
        wrong |= change
        status, error = await errors()
        seen.append((status, next(word for word in WORDS if word in error)))
    assert seen == list(zip((403, 401, 400, 400, 400, 403, 404), WORDS, strict=True))


WORDS = ("WebSocket", "JWT", "api-version", "x-correlation-id", "recordingId", "partnerId", "session")
