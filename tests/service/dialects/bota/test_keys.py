"""Keys over the API: what one is, and what a project's secret keys may do with the others."""

import logging
from datetime import timedelta

import pytest

from adapters.keys import KeyKind
from service.application import project_keys
from service.dialects.http.json_answers import utc_text
from tests.service.running_service import Running, TurnedClock, running_service


@pytest.fixture
async def service(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        yield running


@pytest.fixture
def project(service):
    """Of a project that nobody else uses: its first key."""
    return of(service, service.stores.keys.create(KeyKind.SECRET, project_id="proj_1").token)


def of(service: Running, token: str):
    return type(service.api)(service.api.url, token, "eu_1")


async def made(api, **facts):
    answer = await api.call("POST", "/v1/keys", body=facts)
    assert answer.status == 201, answer
    return answer.json


async def own(api):
    return await api.call("GET", "/v1/keys/current")


async def listed(api, query=""):
    answer = await api.call("GET", f"/v1/keys{query}")
    assert answer.status == 200, answer
    return answer.json


async def test_a_key_is_told_what_it_is_and_never_its_token(service, project):
    secret = (await own(project)).json
    assert (secret["kind"], secret["project_id"], secret["is_current"]) == ("secret", "proj_1", True)
    assert {"recordings:read", "webhooks:write"} <= set(secret["scopes"])
    new = await made(project, scopes=["webhooks:write", "recordings:read"], name="Ünïcödé")
    restricted = (await own(of(service, new["token"]))).json
    assert restricted == {name: value for name, value in new.items() if name != "token"} | {"is_current": True}
    assert (restricted["scopes"], restricted["name"]) == (["recordings:read", "webhooks:write"], "Ünïcödé")
    assert (restricted["expires_at"], restricted["revoked_at"]) == (None, None)


async def test_a_key_that_is_made_works_as_its_scopes_say_until_it_is_revoked(service, project):
    new = await made(project, scopes=["recordings:read"])
    assert new["token"].startswith("rk_live_")
    its = of(service, new["token"])
    assert (await its.call("GET", "/v1/recordings")).status == 200
    assert (await its.call("GET", "/v1/webhooks")).status == 403
    for _ in range(2):
        assert (await project.call("DELETE", f"/v1/keys/{new['id']}")).status == 204
        assert (await its.call("GET", "/v1/recordings")).status == 401
    revoked = [one["id"] for one in (await listed(project))["data"] if one["revoked_at"] is not None]
    assert revoked == [new["id"]]


async def test_a_secret_key_may_make_another_and_a_test_key_makes_test_keys(service, project):
    new = await made(project, kind="secret")
    assert new["token"].startswith("sk_live_")
    assert (await made(of(service, new["token"]), kind="secret"))["project_id"] == "proj_1"
    test = of(service, service.stores.keys.create(KeyKind.SECRET, project_id="proj_1", live=False).token)
    assert (await made(test, kind="secret"))["token"].startswith("sk_test_")


async def test_the_list_has_the_projects_keys_in_pages_and_no_tokens(service, project):
    first = (await own(project)).json["id"]
    new = [(await made(project, scopes=["recordings:read"]))["token"] for _ in range(4)]
    service.stores.keys.create(KeyKind.DEVICE, project_id="proj_1", device_id="dev_1", end_user_id="eu_1")
    client = service.stores.keys.create(KeyKind.CLIENT, project_id="proj_1").key.id
    service.stores.keys.create(KeyKind.SECRET, project_id="proj_2")
    answers, query = [], "?limit=4"
    while query:
        answers.append(page := await listed(project, query))
        query = f"?limit=4&cursor={page['next_cursor']}" if page["has_more"] else ""
    found = [one for page in answers for one in page["data"]]
    assert {one["id"] for one in found} == {first, client, *(token[8:20] for token in new)}
    assert [one["id"] for one in found if one["is_current"]] == [first]
    assert len(answers) == 2
    assert not any(token in str(answers) for token in new)


async def test_another_projects_keys_and_the_tokens_of_devices_are_not_found(service, project):
    keys = service.stores.keys
    others = [
        keys.create(KeyKind.SECRET, project_id="proj_2").key.id,
        keys.create(KeyKind.DEVICE, project_id="proj_1", device_id="dev_1", end_user_id="eu_1").key.id,
        "a" * 12,
    ]
    for key_id in others:
        answer = await project.call("DELETE", f"/v1/keys/{key_id}")
        assert (answer.status, answer.error["message"]) == (404, "There is no such key.")
        cursor = await project.call("GET", f"/v1/keys?cursor={key_id}")
        assert (cursor.status, cursor.error["param"]) == (400, "cursor")
    assert all(key.revoked_at is None for key in keys.list_keys())


async def test_the_key_that_asks_is_revoked_only_if_that_is_said(service, project):
    path = f"/v1/keys/{(await own(project)).json['id']}"
    for query in ("", "?own=false"):
        refused = await project.call("DELETE", path + query)
        assert (refused.status, refused.error["code"]) == (409, "own_key")
    assert (await own(project)).status == 200
    assert (await project.call("DELETE", f"{path}?own=true")).status == 204
    assert (await own(project)).status == 401


async def test_a_key_expires_when_it_was_said_and_not_after_the_one_that_made_it(service, project):
    now = service.clock.now
    past = await project.call("POST", "/v1/keys", body={"kind": "secret", "expires_at": utc_text(now)})
    assert (past.status, past.error["param"]) == (400, "expires_at")
    end = now + timedelta(hours=1)
    hour = of(service, (await made(project, kind="secret", expires_at=utc_text(end)))["token"])
    for asked in ({}, {"expires_at": utc_text(end + timedelta(seconds=1))}):
        refused = await hour.call("POST", "/v1/keys", body={"kind": "secret"} | asked)
        assert (refused.status, refused.error["param"]) == (400, "expires_at")
        assert "cannot outlive" in refused.error["message"]
    shorter = of(service, (await made(hour, kind="secret", expires_at=utc_text(end - timedelta(minutes=1))))["token"])
    assert (await own(shorter)).status == 200
    service.turn(minutes=59)
    assert ((await own(shorter)).status, (await own(hour)).status) == (401, 200)
    service.turn(minutes=1)
    assert (await own(hour)).status == 401


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["keys:write"]}, "scopes.0"),
        ({"scopes": ["recordings:read", "recordings:own"]}, "scopes.1"),
        ({"kind": "secret", "scopes": ["recordings:read"]}, "scopes"),
        ({"kind": "device"}, "kind"),
        ({"kind": "client"}, "kind"),
        ({"kind": "secret", "name": "a\u001b[2Jb"}, "name"),
        ({"kind": "secret", "name": "a\u202eb"}, "name"),
        ({"kind": "secret", "name": ""}, "name"),
        ({"kind": "secret", "expires_at": "tomorrow"}, "expires_at"),
    ],
)
async def test_a_key_that_would_be_useless_or_misleading_is_not_made(service, project, body, param):
    refused = await project.call("POST", "/v1/keys", body=body)
    assert (refused.status, refused.error["param"]) == (400, param)
    assert len((await listed(project))["data"]) == 1


async def test_a_project_makes_only_so_many_keys(service, project, monkeypatch):
    monkeypatch.setattr(project_keys, "MOST_KEYS", 2)
    new = await made(project, kind="secret")
    refused = await project.call("POST", "/v1/keys", body={"kind": "secret"})
    assert (refused.status, refused.error["code"]) == (409, "too_many_keys")
    await project.call("DELETE", f"/v1/keys/{new['id']}")
    await made(project, kind="secret")


async def test_the_log_tells_by_which_key_a_key_was_made_and_revoked_and_no_token(service, project, caplog):
    asking = (await own(project)).json["id"]
    with caplog.at_level(logging.INFO, project_keys.__name__):
        new = await made(project, scopes=["recordings:read"], name="a name")
        await project.call("DELETE", f"/v1/keys/{new['id']}")
    told = [record for record in caplog.records if record.name == project_keys.__name__]
    assert [(one.message, one.key_id, one.asked_with) for one in told] == [
        ("key made", new["id"], asking),
        ("key revoked", new["id"], asking),
    ]
    assert not any(text in str(vars(one)) for one in told for text in (new["token"], "a name"))
