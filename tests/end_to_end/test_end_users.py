"""End users as Bota's clients register, find, change and erase them."""

import re
from secrets import token_hex

import pytest

from tests.end_to_end.profile import content_of

NOW = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z"


async def created(project, **facts):
    answer = await project.call("POST", "/v1/end-users", body=facts)
    assert answer.status == 201, answer
    return answer.json


async def test_an_end_user_is_what_was_said_of_them(project):
    facts = {"external_id": "patient 7", "email": "jane@example.org", "name": "Jané Doe", "metadata": {"a": [1, None]}}
    made = await created(project, **facts)
    assert re.fullmatch(r"eu_[0-9a-f]{32}", made["id"])
    assert re.fullmatch(r"proj_[0-9a-f]{16}", made["project_id"])
    assert re.fullmatch(NOW, made["created_at"])
    whole = {"id": made["id"], **facts, "project_id": made["project_id"]}
    assert made == whole | {"created_at": made["created_at"], "updated_at": made["created_at"]}
    found = await project.call("GET", f"/v1/end-users/{made['id']}")
    assert (found.status, found.json) == (200, made)


async def test_of_one_of_whom_nothing_is_said_everything_is_null(project):
    made = await created(project)
    assert {field for field, value in made.items() if value is None} == {"external_id", "email", "name", "metadata"}


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"external_id": "x" * 256}, "external_id"),
        ({"external_id": ""}, "external_id"),
        ({"external_id": 7}, "external_id"),
        ({"email": "nobody"}, "email"),
        ({"name": "x" * 256}, "name"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": "x" * 8_192}}, "metadata"),
    ],
)
async def test_what_cannot_be_taken_names_its_field(project, facts, field):
    answer = await project.call("POST", "/v1/end-users", body=facts)
    assert (answer.status, answer.error["type"], answer.error["param"]) == (400, "invalid_request", field)


async def test_numbers_in_metadata_come_back_to_the_last_digit(project):
    body = b'{"metadata":{"id":123456789012345678901234567890}}'
    made = await project.call("POST", "/v1/end-users", body=body)
    found = await project.call("GET", f"/v1/end-users/{made.json['id']}")
    assert b'"metadata":{"id":123456789012345678901234567890}' in found.body


async def test_a_taken_external_id_is_refused_and_finds_who_has_it(project):
    made = await created(project, external_id="a&b")
    answer = await project.call("POST", "/v1/end-users", body={"external_id": "a&b"})
    assert (answer.status, answer.error["type"], answer.error["code"], answer.error["param"]) == (
        409,
        "resource_already_exists",
        "resource_already_exists",
        "external_id",
    )
    found = await project.call("GET", "/v1/end-users?external_id=a%26b")
    assert found.json == {"data": [made], "has_more": False, "next_cursor": None}
    assert (await project.call("GET", "/v1/end-users?external_id=b")).json["data"] == []


async def test_lists_are_newest_first_by_cursor_and_by_offset(project):
    made = [await created(project, external_id=str(number)) for number in range(30)]
    first = (await project.call("GET", "/v1/end-users")).json
    assert first["data"] == made[:4:-1]
    assert first["has_more"] is True
    rest = (await project.call("GET", f"/v1/end-users?limit=100&cursor={first['next_cursor']}")).json
    assert (rest["data"], rest["has_more"], rest["next_cursor"]) == (made[4::-1], False, None)
    assert (await project.call("GET", "/v1/end-users?limit=2&offset=27")).json["data"] == made[2:0:-1]
    assert (await project.call("GET", "/v1/end-users?limit=30")).json["has_more"] is False
    for query in ("limit=0", "limit=101", "cursor=x", "cursor=1&offset=1", "offset=-1"):
        assert (await project.call("GET", f"/v1/end-users?{query}")).status == 400, query


async def test_a_change_leaves_what_is_not_sent_and_null_takes_it_away(project):
    made = await created(project, external_id="a", name="Jane", email="a@b", metadata={"a": 1})
    answer = await project.call("PATCH", f"/v1/end-users/{made['id']}", body={"name": None, "metadata": {"b": 2}})
    assert answer.status == 200
    assert answer.json == made | {"name": None, "metadata": {"b": 2}, "updated_at": answer.json["updated_at"]}
    assert answer.json["updated_at"] > made["updated_at"]
    again = await project.call("PATCH", f"/v1/end-users/{made['id']}", body={"name": None, "external_id": "other"})
    assert again.json == answer.json
    assert (await project.call("PATCH", f"/v1/end-users/{made['id']}", body={"metadata": None})).json[
        "metadata"
    ] is None


async def test_what_was_known_of_an_erased_end_user_is_nowhere_in_what_is_stored(service, project):
    words = ["Jane-Doe-of-Springfield", "jane.doe@springfield.example", "patient-4711", "likes-donuts", "Jane-before"]
    name, email, external_id, metadata, before = words
    facts = {"external_id": external_id, "email": email, "name": before, "metadata": {"notes": metadata}}
    answer = await project.call("POST", "/v1/end-users", body=facts, headers={"Idempotency-Key": "jane"})
    path = f"/v1/end-users/{answer.json['id']}"
    assert (await project.call("PATCH", path, body={"name": name})).status == 200
    assert (await project.call("GET", f"/v1/end-users?external_id={external_id}")).json["data"][0]["name"] == name
    recording = await project.create(end_user_id=answer.json["id"])
    gone = await project.call("DELETE", path)
    assert (gone.status, gone.body) == (204, b"")
    content = content_of(service)
    assert [word for word in words if word.encode() in content] == []
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        refused = await project.call(method, path, body=body)
        assert (refused.status, refused.error["type"]) == (404, "not_found")
    assert (await project.get(recording))["end_user_id"] == answer.json["id"]
    assert (await created(project, external_id=external_id))["id"] != answer.json["id"]


async def test_with_the_end_user_their_devices_are_unbound_and_these_tokens_void(service, project):
    made, other = await created(project), await created(project)
    bound = []
    for number, end_user in enumerate((made, other)):
        device = (await project.call("POST", "/v1/devices", body={"serial_number": f"SN {number}"})).json
        body = {"end_user_id": end_user["id"]}
        bound.append((await project.call("POST", f"/v1/devices/{device['id']}/bind", body=body)).json)
    assert (await project.call("DELETE", f"/v1/end-users/{made['id']}")).status == 204
    statuses = [(await project.call("GET", f"/v1/devices/{one['id']}")).json["status"] for one in bound]
    assert statuses == ["unbound", "bound"]
    devices = [service.api(one["device_token"]) for one in bound]
    assert [(await one.call("POST", "/v1/devices/me/heartbeat")).status for one in devices] == [401, 200]


async def test_another_projects_end_users_do_not_exist(service, project, new_key):
    made = await created(project, external_id="a")
    other = service.api(new_key("secret", project_id=f"proj_{token_hex(8)}"))
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        refused = await other.call(method, f"/v1/end-users/{made['id']}", body=body)
        assert (refused.status, refused.error["type"]) == (404, "not_found")
    assert (await other.call("GET", "/v1/end-users")).json["data"] == []
    assert (await other.call("GET", "/v1/end-users?external_id=a")).json["data"] == []
    assert (await other.call("POST", "/v1/end-users", body={"external_id": "a"})).status == 201
    assert (await project.call("GET", f"/v1/end-users/{made['id']}")).json == made


async def test_the_development_credentials_end_user_and_device_are_there(service):
    api, written = service.api(), service.credentials
    end_user = await api.call("GET", f"/v1/end-users/{written['end_user_id']}")
    assert (end_user.status, end_user.json["id"]) == (200, written["end_user_id"])
    device = (await api.call("GET", f"/v1/devices/{written['device_id']}")).json
    assert (device["end_user_id"], device["status"], device["binding_generation"]) == (
        written["end_user_id"],
        "bound",
        1,
    )
