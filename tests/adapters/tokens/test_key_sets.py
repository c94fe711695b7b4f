"""Discovery and rotation: keys are found, renewed and kept, whatever an issuer or a client does."""

import asyncio
import traceback
from datetime import timedelta

import pytest
from aiohttp import web

from adapters.tokens.allow_list import parse_allow_list
from adapters.tokens.errors import IssuerMisbehaves, IssuerUnavailable, TokenRefused
from adapters.tokens.key_sets import RENEWAL_AGE
from tests.adapters.tokens.issuer import APPLICATION, IssuerServer, RsaKey, claims, signed


async def test_keys_are_fetched_once_for_many_tokens(issuer, trust):
    await asyncio.gather(*(trust.verify(issuer.token(jti=str(number))) for number in range(50)))
    assert issuer.fetches == ["metadata", "keys"]


async def test_a_new_key_is_fetched_when_a_token_names_it_however_often_keys_rotate(issuer, trust):
    for number in range(8):
        issuer.key = RsaKey(f"key {number}", index=number % 3)
        issuer.keys = [issuer.key]
        verified = await asyncio.gather(*(trust.verify(issuer.token()) for _ in range(16)))
        assert {application.id for application in verified} == {APPLICATION}
    assert issuer.fetches.count("keys") == 8


async def test_a_thousand_unknown_kids_in_a_row_cause_a_few_fetches(issuer, trust):
    trust.stands_at = trust.now()
    await trust.verify(issuer.token())
    for number in range(1_000):
        with pytest.raises(TokenRefused, match="does not have"):
            await trust.verify(signed(issuer.key, claims(issuer.url), kid=f"unknown {number}"))
    assert len(issuer.fetches) <= 5
    assert (await trust.verify(issuer.token())).id == APPLICATION


async def test_a_thousand_unknown_kids_at_once_cause_a_few_fetches(issuer, trust):
    trust.stands_at = trust.now()
    tokens = [signed(issuer.key, claims(issuer.url), kid=f"unknown {number}") for number in range(1_000)]
    outcomes = await asyncio.gather(*map(trust.verify, tokens), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {TokenRefused}
    assert len(issuer.fetches) <= 6


async def test_after_a_flood_of_unknown_kids_a_rotation_is_noticed_in_a_while(issuer, trust):
    for number in range(10):
        with pytest.raises(TokenRefused):
            await trust.verify(signed(issuer.key, claims(issuer.url), kid=f"unknown {number}"))
    issuer.keys = [RsaKey("second", index=1)]
    with pytest.raises(TokenRefused):
        await trust.verify(issuer.token(issuer.keys[0]))
    trust.ahead = timedelta(seconds=10)
    assert (await trust.verify(issuer.token(issuer.keys[0]))).id == APPLICATION


async def test_an_issuer_that_is_down_does_not_fail_a_token_whose_key_is_cached(issuer, trust):
    await trust.verify(issuer.token())
    await issuer.stop()
    trust.ahead = 2 * RENEWAL_AGE
    for _ in range(10):
        assert (await trust.verify(issuer.token(exp=4_000_000_000))).id == APPLICATION
    with pytest.raises(IssuerUnavailable):
        await trust.verify(signed(issuer.key, claims(issuer.url, exp=4_000_000_000), kid="unknown"))
    await issuer.start()


async def test_a_key_that_was_withdrawn_is_forgotten_in_a_while(issuer, trust):
    token = issuer.token(exp=4_000_000_000)
    await trust.verify(token)
    issuer.keys = [RsaKey("second", index=1)]
    trust.ahead = 2 * RENEWAL_AGE

    async def until_refused():
        while await trust.verify(token):
            await asyncio.sleep(0)

    async with asyncio.timeout(60):
        with pytest.raises(TokenRefused, match="does not have"):
            await until_refused()


async def test_an_issuer_that_is_down_from_the_start_is_said_to_be_and_works_once_it_is_up(trust, issuer):
    async def broken(_):
        return web.Response(status=503)

    issuer.metadata_answer = broken
    with pytest.raises(IssuerUnavailable):
        await trust.verify(issuer.token())
    issuer.metadata_answer = None
    assert (await trust.verify(issuer.token())).id == APPLICATION


async def test_an_issuer_that_is_down_is_not_asked_with_every_request(trust, issuer):
    async def broken(_):
        return web.Response(status=500)

    issuer.metadata_answer = broken
    for _ in range(100):
        with pytest.raises(IssuerUnavailable):
            await trust.verify(issuer.token())
    assert len(issuer.fetches) <= 4


async def test_an_issuers_failure_does_not_grow_with_the_requests_that_it_refuses(trust, issuer):
    """It is one exception, raised for each of them: what it held on to would be all of their frames."""

    async def broken(_):
        return web.Response(status=500)

    issuer.metadata_answer = broken
    lengths = []
    for _ in range(20):
        with pytest.raises(IssuerUnavailable) as refusal:
            await trust.verify(issuer.token())
        lengths.append(len(list(traceback.walk_tb(refusal.value.__traceback__))))
    assert lengths[-1] == lengths[-10]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("document", ["metadata", "keys"])
async def test_an_issuer_that_redirects_is_not_followed(issuer, trust, status, document):
    elsewhere = IssuerServer()
    await elsewhere.start()

    async def redirect(_):
        target = elsewhere.url + ("/.well-known/openid-configuration" if document == "metadata" else "/keys")
        return web.Response(status=status, headers={"Location": target})

    setattr(issuer, f"{document}_answer", redirect)
    with pytest.raises(IssuerMisbehaves) as refusal:
        await trust.verify(issuer.token())
    assert "redirects" in refusal.value.because
    assert elsewhere.fetches == []
    await elsewhere.stop()


@pytest.mark.parametrize("fetch_seconds", [0.5])
@pytest.mark.parametrize("document", ["metadata", "keys"])
async def test_an_issuer_that_is_slow_is_given_up(issuer, trust, document):
    async def slow(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    setattr(issuer, f"{document}_answer", slow)
    async with asyncio.timeout(60):
        with pytest.raises(IssuerUnavailable):
            await trust.verify(issuer.token())


@pytest.mark.parametrize("announced", [True, False])
async def test_an_issuer_that_answers_with_100_mb_is_given_up_early(issuer, trust, announced):
    sent = 0

    async def huge(request):
        nonlocal sent
        response = web.StreamResponse()
        if announced:
            response.content_length = 100_000_000
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" " * 1_000_000)
            sent += 1_000_000
        return response

    issuer.keys_answer = huge
    with pytest.raises(IssuerMisbehaves) as refusal:
        await trust.verify(issuer.token())
    assert "larger" in refusal.value.because
    assert sent < 50_000_000


async def test_keys_on_a_host_that_the_allow_list_does_not_name_are_not_fetched(issuer, trust):
    elsewhere = IssuerServer()
    await elsewhere.start()
    elsewhere.keys = [issuer.key]
    own_host = issuer.url.removeprefix("http://")
    for address in (
        f"{elsewhere.url}/keys",
        f"{issuer.url}@{elsewhere.url.removeprefix('http://')}/keys",
        f"http://{own_host}.example.com/keys",
        f"ftp://{own_host}/keys",
        "file:///etc/passwd",
        "http://[",
        "/keys",
        7,
        None,
    ):
        issuer.metadata = {"jwks_uri": address}
        trust.key_sets._cached.clear()
        with pytest.raises(IssuerMisbehaves) as refusal:
            await trust.verify(issuer.token())
        assert "jwks_uri" in refusal.value.because
    assert elsewhere.fetches == []
    await elsewhere.stop()


async def test_keys_on_a_host_that_the_allow_list_names_are_fetched(issuer, trust):
    elsewhere = IssuerServer()
    await elsewhere.start()
    elsewhere.keys = [issuer.key]
    issuer.metadata = {"jwks_uri": f"{elsewhere.url}/keys"}
    host = elsewhere.url.removeprefix("http://")
    named = issuer.allow_list().replace("audiences", f'key_hosts = ["{host}"]\naudiences')
    trust.allow_list = parse_allow_list(named)
    assert (await trust.verify(issuer.token())).id == APPLICATION
    assert elsewhere.fetches == ["keys"]
    await elsewhere.stop()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"keys": 7}', b'{"keys": [7, {}, {"kty": "RSA"}]}'])
async def test_a_key_set_that_is_none_is_refused(issuer, trust, body):
    async def answer(_):
        return web.Response(body=body, content_type="application/json")

    issuer.keys_answer = answer
    with pytest.raises(IssuerMisbehaves):
        await trust.verify(issuer.token())


@pytest.mark.parametrize("claimed", ["http://127.0.0.1:1", "", None, 7])
async def test_metadata_of_another_issuer_is_refused(issuer, trust, claimed):
    issuer.metadata = {"issuer": claimed}
    with pytest.raises(IssuerMisbehaves):
        await trust.verify(issuer.token())
