"""The development issuer: tokens for the development client alone, on a loopback address only."""

import json
from base64 import b64encode

import aiohttp
import orjson
import pytest

from tests.end_to_end.dragon_client import Dragon, dragon_credentials

FIELDS = ("issuer", "token_url", "audience", "client_id", "client_secret", "customer_id", "partner_id", "product_id")


async def post(url: str, fields, headers=None):
    async with aiohttp.ClientSession() as http, http.post(url, data=fields, headers=headers) as answer:
        return answer.status, await answer.json(), answer.headers


def grant(credentials, **changes):
    asked = {"grant_type": "client_credentials"} | {name: credentials[name] for name in ("client_id", "client_secret")}
    return asked | changes


async def test_the_credentials_have_what_a_client_needs(service):
    credentials = dragon_credentials(service)
    assert set(credentials) == set(FIELDS)
    assert credentials["issuer"] == f"{service.url}/dev/issuer"
    assert credentials["token_url"] == f"{service.url}/dev/issuer/token"
    project = service.credentials["project_id"]
    assert project == f"proj_{credentials['customer_id'].replace('-', '')}"


async def test_its_metadata_and_keys_are_those_of_an_issuer(api, service):
    credentials = dragon_credentials(service)
    metadata = (await api.call("GET", "/dev/issuer/.well-known/openid-configuration", key=False)).json
    assert (metadata["issuer"], metadata["token_endpoint"]) == (credentials["issuer"], credentials["token_url"])
    (key,) = (await api.call("GET", metadata["jwks_uri"], key=False)).json["keys"]
    assert (key["kty"], key["alg"], "d" in key) == ("EC", "ES256", False)


async def test_it_gives_tokens_to_its_client_by_form_or_by_basic_authorization(service):
    credentials = dragon_credentials(service)
    status, granted, headers = await post(credentials["token_url"], grant(credentials))
    assert (status, granted["token_type"], granted["expires_in"]) == (200, "Bearer", 3600)
    assert headers["Cache-Control"] == "no-store"
    basic = b64encode(f"{credentials['client_id']}:{credentials['client_secret']}".encode()).decode()
    asked = {"grant_type": "client_credentials", "scope": "any"}
    status, granted, _ = await post(credentials["token_url"], asked, {"Authorization": f"Basic {basic}"})
    assert (status, granted["access_token"].count(".")) == (200, 2)


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "guessed"}, 401, "invalid_client"),
        ({"client_id": "dev-other"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "unsupported_grant_type"),
    ],
)
async def test_it_gives_no_token_to_anyone_else(service, changes, status, error):
    credentials = dragon_credentials(service)
    answered = await post(credentials["token_url"], grant(credentials, **changes))
    assert answered[:2] == (status, {"error": error})


@pytest.mark.parametrize("authorization", ["Basic", "Basic !", "Basic bm9jb2xvbg==", "Basic /w==", "Bearer x"])
async def test_a_malformed_authorization_gets_no_token(service, authorization):
    url = dragon_credentials(service)["token_url"]
    asked = {"grant_type": "client_credentials"}
    assert (await post(url, asked, {"Authorization": authorization}))[:2] == (401, {"error": "invalid_client"})


async def test_on_an_address_that_is_not_loopback_there_is_none(own_service):
    own_service.settings |= {"HOST": "0.0.0.0", "PUBLIC_URL": own_service.url}
    api_url = (await own_service.start()).url
    assert not (own_service.data_dir / "dev-credentials.json").exists()
    async with aiohttp.ClientSession() as http:
        for path in ("/.well-known/openid-configuration", "/keys"):
            async with http.get(f"{api_url}/dev/issuer{path}") as answer:
                assert answer.status == 404
        async with http.post(f"{api_url}/dev/issuer/token", data={"grant_type": "client_credentials"}) as answer:
            assert answer.status == 404


@pytest.mark.slow
async def test_off_loopback_the_development_client_and_its_tokens_are_void_for_good(own_service):
    dragon = await Dragon.connect(await own_service.start())
    assert (await dragon.announce()).status == 200
    own_service.stop()
    own_service.settings |= {"HOST": "0.0.0.0", "PUBLIC_URL": own_service.url}
    await own_service.start()
    assert (await dragon.announce()).status in (401, 403)
    assert not (own_service.data_dir / "dev-issuer.pem").exists()
    own_service.stop()
    own_service.settings["HOST"] = "127.0.0.1"
    await own_service.start()
    assert (await dragon.announce()).status in (401, 403)
    assert (await (await Dragon.connect(own_service)).announce()).status == 200


@pytest.mark.slow
async def test_credentials_of_an_older_version_get_what_they_lack_and_keep_what_they_have(own_service):
    await own_service.start()
    path = own_service.data_dir / "dev-credentials.json"
    written = orjson.loads(path.read_bytes())
    own_service.kill()
    path.write_text(json.dumps({"base_url": "http://127.0.0.1:1", "bota": written["bota"], "more": {"kept": True}}))
    await own_service.start()
    now = orjson.loads(path.read_bytes())
    assert (now["base_url"], now["bota"], now["more"]) == (own_service.url, written["bota"], {"kept": True})
    assert now["dragon"]["customer_id"] == written["dragon"]["customer_id"]
    assert path.stat().st_mode & 0o777 == 0o600
    dragon = await Dragon.connect(own_service)
    assert (await dragon.announce()).status == 200


@pytest.mark.slow
async def test_credentials_stay_the_same_over_a_restart(own_service):
    await own_service.start()
    before = dragon_credentials(own_service)
    await own_service.restart()
    assert dragon_credentials(own_service) == before
    assert (own_service.data_dir / "dev-issuer.pem").stat().st_mode & 0o777 == 0o600
