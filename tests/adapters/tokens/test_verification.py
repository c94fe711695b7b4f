"""A good token names its application; each attack on it is refused."""

import time

import orjson
import pytest

from adapters.tokens.errors import ApplicationNotListed, IssuerNotListed, TokenRefused
from tests.adapters.tokens.issuer import (
    APPLICATION,
    AUDIENCE,
    CUSTOMER,
    EcKey,
    IssuerServer,
    RsaKey,
    b64,
    claims,
    compact,
    hmac_signed,
    signed,
)


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
async def test_a_token_signed_with_an_rsa_key_names_its_application(issuer, trust, algorithm):
    application = await trust.verify(issuer.token(algorithm=algorithm))
    assert (application.id, application.customers) == (APPLICATION, {CUSTOMER})


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
async def test_a_token_signed_with_an_elliptic_curve_key_names_its_application(issuer, trust, algorithm):
    key = EcKey("curve", algorithm)
    issuer.keys.append(key)
    assert (await trust.verify(issuer.token(key, algorithm=algorithm))).id == APPLICATION


@pytest.mark.parametrize(
    "who",
    [
        {"azp": APPLICATION, "appid": "other", "sub": "other"},
        {"azp": None, "appid": APPLICATION, "sub": "other"},
        {"azp": None, "sub": APPLICATION},
    ],
)
async def test_the_application_is_azp_or_appid_else_sub(issuer, trust, who):
    assert (await trust.verify(issuer.token(**who))).id == APPLICATION


@pytest.mark.parametrize("who", [{"azp": "stranger"}, {"azp": None, "sub": "stranger"}])
async def test_a_valid_token_of_an_application_that_is_not_listed_is_told_apart(issuer, trust, who):
    with pytest.raises(ApplicationNotListed):
        await trust.verify(issuer.token(**who))


@pytest.mark.parametrize("who", [{"azp": 7}, {"azp": ""}, {"azp": None, "sub": None}])
async def test_a_token_that_names_no_application_is_refused(issuer, trust, who):
    with pytest.raises(TokenRefused, match="no application"):
        await trust.verify(issuer.token(**who))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, 5])
async def test_an_unsigned_token_is_refused(issuer, trust, algorithm):
    header = {"alg": algorithm, "kid": issuer.key.kid}
    for signature in (b"", b"x"):
        with pytest.raises(TokenRefused):
            await trust.verify(compact(header, claims(issuer.url), lambda _, given=signature: given))
    assert issuer.fetches == []


async def test_an_hmac_with_the_public_rsa_key_as_its_secret_is_refused(issuer, trust):
    await trust.verify(issuer.token())
    for secret in (issuer.key.public_pem, orjson.dumps(issuer.key.jwk), issuer.key.jwk["n"].encode()):
        with pytest.raises(TokenRefused, match="algorithm"):
            await trust.verify(hmac_signed(secret, claims(issuer.url), issuer.key.kid))


async def test_an_hmac_key_in_the_issuers_own_set_is_not_used(issuer, trust):
    issuer.keys.append({"kty": "oct", "kid": "shared", "k": b64(b"secret"), "alg": "HS256"})
    with pytest.raises(TokenRefused, match="algorithm"):
        await trust.verify(hmac_signed(b"secret", claims(issuer.url), "shared"))


async def test_a_key_of_another_issuers_set_is_refused(issuer, trust):
    other = IssuerServer()
    await other.start()
    other.key = RsaKey(issuer.key.kid, index=1)
    other.keys = [other.key]
    listed = await trust.key_sets.key(next(iter(trust.allow_list.issuers.values())), issuer.key.kid, "RS256")
    assert listed.members["n"] == issuer.key.jwk["n"]
    with pytest.raises(TokenRefused, match="signature"):
        await trust.verify(signed(other.key, claims(issuer.url)))
    with pytest.raises(IssuerNotListed):
        await trust.verify(other.token())
    assert other.fetches == []
    await other.stop()


@pytest.mark.parametrize(
    "kid",
    ["../../../../etc/passwd", "/dev/null", "http://169.254.169.254/keys", "file:///etc/passwd", "' OR 1=1 --", "\x00"],
)
async def test_a_kid_that_is_a_path_or_a_url_is_only_a_name(issuer, trust, kid):
    with pytest.raises(TokenRefused, match="does not have"):
        await trust.verify(signed(issuer.key, claims(issuer.url), kid=kid))
    assert set(issuer.fetches) == {"metadata", "keys"}


@pytest.mark.parametrize("kid", [7, ["first"], {"a": 1}, "k" * 513])
async def test_a_kid_that_is_no_name_is_refused(issuer, trust, kid):
    with pytest.raises(TokenRefused, match="kid"):
        await trust.verify(signed(issuer.key, claims(issuer.url), kid=kid))


async def test_a_key_that_the_token_brings_along_is_ignored(issuer, trust):
    thief = RsaKey("first", index=1)
    for header in ({"jwk": thief.jwk}, {"jku": "http://127.0.0.1:1/keys"}, {"x5u": "http://127.0.0.1:1/keys"}):
        with pytest.raises(TokenRefused, match="signature"):
            await trust.verify(signed(thief, claims(issuer.url), **header))


async def test_without_a_kid_the_only_key_is_meant_and_among_several_none_is(issuer, trust):
    token = signed(issuer.key, claims(issuer.url), kid=None)
    assert (await trust.verify(token)).id == APPLICATION
    issuer.keys.append(RsaKey("second", index=1))
    with pytest.raises(TokenRefused):  # its set is read again, because of the second's name
        await trust.verify(signed(issuer.key, claims(issuer.url), kid="third"))
    with pytest.raises(TokenRefused, match="does not have"):
        await trust.verify(token)


@pytest.mark.parametrize("ago", [0, 1, 3600])
async def test_an_expired_token_is_refused(issuer, trust, ago):
    with pytest.raises(TokenRefused, match="expired"):
        await trust.verify(issuer.token(exp=int(time.time()) - ago))


@pytest.mark.parametrize("ahead", [30, 3600])
async def test_a_token_that_is_not_valid_yet_is_refused(issuer, trust, ahead):
    with pytest.raises(TokenRefused, match="not valid yet"):
        await trust.verify(issuer.token(nbf=int(time.time()) + ahead))


@pytest.mark.parametrize("expiry", [None, "tomorrow", True, [4_000_000_000], "4000000000"])
async def test_a_token_without_a_usable_expiry_is_refused(issuer, trust, expiry):
    with pytest.raises(TokenRefused, match="no usable exp"):
        await trust.verify(issuer.token(exp=expiry))


@pytest.mark.parametrize("start", ["now", True, {}])
async def test_a_token_whose_nbf_is_no_time_is_refused(issuer, trust, start):
    with pytest.raises(TokenRefused, match="no usable nbf"):
        await trust.verify(issuer.token(nbf=start))


@pytest.mark.parametrize("audience", [None, "api://other", AUDIENCE + "/", AUDIENCE.upper(), [], ["x"], 7, {"a": 1}])
async def test_a_token_for_another_audience_is_refused(issuer, trust, audience):
    with pytest.raises(TokenRefused, match="another audience"):
        await trust.verify(issuer.token(aud=audience))


async def test_one_of_several_audiences_is_enough(issuer, trust):
    assert (await trust.verify(issuer.token(aud=["api://other", AUDIENCE]))).id == APPLICATION


@pytest.mark.parametrize(
    "change", [lambda iss: iss + "/", lambda iss: iss.upper(), lambda iss: iss.replace("127.0.0.1", "localhost")]
)
async def test_an_issuer_that_differs_in_a_slash_or_in_case_is_another_issuer(issuer, trust, change):
    with pytest.raises(IssuerNotListed):
        await trust.verify(issuer.token(iss=change(issuer.url)))


@pytest.mark.parametrize("name", [None, 7, ["a"]])
async def test_a_token_that_names_no_issuer_is_refused(issuer, trust, name):
    with pytest.raises(TokenRefused, match="no issuer"):
        await trust.verify(issuer.token(iss=name))


async def test_a_token_changed_in_one_character_is_refused(issuer, trust):
    header, payload, signature = issuer.token().split(".")
    forged = b64(orjson.dumps(claims(issuer.url, azp="other")))
    for token in (f"{header}.{forged}.{signature}", f"{header}.{payload}.{signature[:-8]}AAAAAAAA"):
        with pytest.raises(TokenRefused, match="signature"):
            await trust.verify(token)


async def test_a_token_of_one_algorithm_is_not_taken_for_another(issuer, trust):
    """A key whose set says what it is for is for nothing else."""
    issuer.keys = [issuer.key.jwk | {"alg": "RS256"}]
    assert (await trust.verify(issuer.token())).id == APPLICATION
    with pytest.raises(TokenRefused):
        await trust.verify(issuer.token(algorithm="PS256"))


async def test_a_critical_extension_that_is_not_known_is_refused(issuer, trust):
    with pytest.raises(TokenRefused, match="extension"):
        await trust.verify(signed(issuer.key, claims(issuer.url), crit=["b64"], b64=False))


@pytest.mark.parametrize(
    "token",
    ["", "a.b", "a.b.c.d", "a.b.c.d.e", "..", "a.b.", "é.b.c", "a b.c.d", "x" * 100_000, "e30.e30.e30=", "e30.W10.eA"],
)
async def test_what_is_no_signed_jwt_is_refused(issuer, trust, token):
    with pytest.raises(TokenRefused):
        await trust.verify(token)
    assert issuer.fetches == []


@pytest.mark.parametrize("unusable", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"key_ops": 7}, {"alg": ["RS256"]}])
async def test_a_key_that_is_for_something_else_is_not_used(issuer, trust, unusable):
    issuer.keys = [issuer.key.jwk | unusable, EcKey("other")]
    with pytest.raises(TokenRefused, match="does not have"):
        await trust.verify(issuer.token())


async def test_an_rsa_key_that_is_too_short_is_not_used(issuer, trust):
    short = RsaKey("short", bits=1024)
    issuer.keys.append(short)
    with pytest.raises(TokenRefused, match="does not have"):
        await trust.verify(issuer.token(short))


async def test_a_header_nested_beyond_measure_is_refused(issuer, trust):
    header = b'{"alg":"RS256","kid":"first","x":' + b"[" * 990 + b"]" * 990 + b"}"
    message = f"{b64(header)}.{b64(orjson.dumps(claims(issuer.url)))}"
    with pytest.raises(TokenRefused):
        await trust.verify(f"{message}.{b64(b'signature')}")
