"""`Idempotency-Key` on Bota's POSTs, and what a killed service still has of what it answered."""

import asyncio

import pytest

from tests.end_to_end.profile import tables_of

WEBHOOK = {"url": "http://127.0.0.1:9/", "events": ["recording.created"]}
CALLS = {
    "/v1/end-users": ({"external_id": "a"}, {"external_id": "b"}),
    "/v1/devices": ({"serial_number": "a"}, {"serial_number": "b"}),
    "/v1/devices/{device_id}/bind": ({"end_user_id": "eu_1"}, {"end_user_id": "eu_2"}),
    "/v1/webhooks": (WEBHOOK, WEBHOOK | {"events": ["recording.deleted"]}),
}
each_call = pytest.mark.parametrize("call", CALLS)


async def asked(project, call):
    """The path, a body and another one."""
    if "{device_id}" in call:
        made = (await project.call("POST", "/v1/devices", body={"serial_number": "1"})).json
        call = call.replace("{device_id}", made["id"])
    return call, *CALLS[next(one for one in CALLS if one.split("/")[-1] == call.split("/")[-1])]


@each_call
async def test_the_same_request_gets_the_first_answer_byte_for_byte_also_at_once(project, call):
    path, body, other = await asked(project, call)
    named = {"Idempotency-Key": "k-1_!"}
    answers = await asyncio.gather(*(project.call("POST", path, body=body, headers=named) for _ in range(5)))
    assert {(one.status, one.body, one.headers["Content-Type"]) for one in answers} == {
        (200 if "bind" in call else 201, answers[0].body, "application/json; charset=utf-8")
    }
    differs = await project.call("POST", path, body=other, headers=named)
    assert (differs.status, differs.error["type"]) == (409, "idempotency_conflict")
    if "bind" not in call:
        assert (await project.call("POST", path, body=other, headers={"Idempotency-Key": "k2"})).status == 201
        assert len((await project.call("GET", path)).json["data"]) == 2


@each_call
async def test_a_key_must_be_one_and_a_refused_request_may_be_corrected_under_it(project, call):
    path, body, _ = await asked(project, call)
    for bad in ("", "x" * 256, "a b"):
        refused = await project.call("POST", path, body=body, headers={"Idempotency-Key": bad})
        assert (refused.status, refused.error["param"]) == (400, "Idempotency-Key")
    named = {"Idempotency-Key": "corrected"}
    assert (await project.call("POST", path, body=b"[]", headers=named)).status == 400
    assert (await project.call("POST", path, body=body, headers=named)).status in (200, 201)


async def test_the_answers_are_the_projects_own_and_need_the_permission(service, project, new_key):
    named = {"Idempotency-Key": "one"}
    made = (await project.call("POST", "/v1/end-users", body={}, headers=named)).json
    reader = new_key("restricted", project_id=made["project_id"], scopes=frozenset({"end_users:read"}))
    assert (await service.api(reader).call("POST", "/v1/end-users", body={}, headers=named)).status == 403
    writer = new_key("restricted", project_id=made["project_id"], scopes=frozenset({"end_users:write"}))
    assert (await service.api(writer).call("POST", "/v1/end-users", body={}, headers=named)).json == made
    other = service.api(new_key("secret", project_id="proj_another"))
    assert (await other.call("POST", "/v1/end-users", body={}, headers=named)).json["id"] != made["id"]


async def test_what_is_deleted_or_unbound_is_not_answered_again(service, project):
    named = {"Idempotency-Key": "one"}
    for path, body in (("/v1/end-users", {}), ("/v1/webhooks", WEBHOOK)):
        made = (await project.call("POST", path, body=body, headers=named)).json
        assert (await project.call("DELETE", f"{path}/{made['id']}")).status == 204
        assert (await project.call("POST", path, body=body, headers=named)).json["id"] != made["id"]
    path, body, _ = await asked(project, "/v1/devices/{device_id}/bind")
    first = (await project.call("POST", path, body=body, headers=named)).json["device_token"]
    assert (await project.call("POST", path.replace("bind", "unbind"))).status == 200
    again = (await project.call("POST", path, body=body, headers=named)).json["device_token"]
    assert [(await service.api(one).call("GET", "/v1/devices/me")).status for one in (first, again)] == [401, 200]


async def test_a_binding_that_ended_with_its_end_user_is_not_answered_again(service, project):
    named = {"Idempotency-Key": "one"}
    path, body, _ = await asked(project, "/v1/devices/{device_id}/bind")
    first = (await project.call("POST", path, body=body, headers=named)).json["device_token"]
    assert (await project.call("DELETE", "/v1/end-users/eu_1")).status == 204
    again = (await project.call("POST", path, body=body, headers=named)).json["device_token"]
    assert [(await service.api(one).call("GET", "/v1/devices/me")).status for one in (first, again)] == [401, 200]


async def test_of_unbinding_and_binding_at_once_no_answer_with_a_void_token_is_kept(service, project):
    path, body, _ = await asked(project, "/v1/devices/{device_id}/bind")
    for number in range(10):
        named = {"Idempotency-Key": f"key-{number}"}
        await asyncio.gather(
            project.call("POST", path, body=body, headers=named),
            project.call("POST", path.replace("bind", "unbind")),
        )
        again = (await project.call("POST", path, body=body, headers=named)).json["device_token"]
        assert (await service.api(again).call("GET", "/v1/devices/me")).status == 200


@pytest.mark.slow
async def test_killed_after_its_answers_the_service_has_all_of_it(own_service):
    api = (await own_service.start()).api()
    named, answers = {"Idempotency-Key": "one"}, {}
    for call in CALLS:
        path, body, _ = await asked(api, call)
        answers[path] = body, (await api.call("POST", path, body=body, headers=named)).body
        await own_service.restart()
    for path, (body, first) in answers.items():
        assert (await api.call("POST", path, body=body, headers=named)).body == first
    assert [one["external_id"] for one in (await api.call("GET", "/v1/end-users?external_id=a")).json["data"]] == ["a"]
    device = next(path for path in answers if path.endswith("/bind")).removesuffix("/bind")
    assert (await api.call("GET", device)).json["status"] == "bound"
    assert len((await api.call("GET", "/v1/webhooks")).json["data"]) == 1
    secrets = [b"dtok_", b"whsec_"]
    content = tables_of(own_service, "answers")
    assert b"/wh_" in content  # what the third answer is about
    assert [one for one in secrets if one in content] == []
