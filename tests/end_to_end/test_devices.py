"""Devices: registered, bound, and what they do with their tokens; their configuration; what is refused to them."""

import asyncio
import re
from secrets import token_hex

import pytest

NOTHING = {
    "battery_percent": None,
    "storage_used_mb": None,
    "storage_total_mb": None,
    "signal_strength_dbm": None,
    "last_heartbeat_at": None,
    "recording_state": None,
}


async def registered(project, **facts):
    answer = await project.call("POST", "/v1/devices", body={"serial_number": token_hex(4)} | facts)
    assert answer.status == 201, answer
    return answer.json


async def bound(project, device, end_user_id="eu_1", **more):
    answer = await project.call("POST", f"/v1/devices/{device['id']}/bind", body={"end_user_id": end_user_id} | more)
    assert answer.status == 200, answer
    return answer.json


async def test_a_device_is_what_was_said_of_it(project):
    facts = {"serial_number": "SN 1", "name": "Ward 3", "firmware_version": "1.2.0", "metadata": {"a": [1]}}
    made = await registered(project, **facts, device_type="bota_pin_pro")
    assert re.fullmatch(r"dev_[0-9a-f]{32}", made["id"])
    assert made == facts | NOTHING | {
        "id": made["id"],
        "model": "bota_pin_pro",
        "status": "unbound",
        "end_user_id": None,
        "binding_generation": 0,
        "project_id": made["project_id"],
        "deleted_at": None,
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    assert (await project.call("GET", f"/v1/devices/{made['id']}")).json == made


async def test_registering_a_serial_number_again_gives_its_device_as_it_is(project):
    made = await registered(project, serial_number="SN 1", model="bota_note")
    again = await project.call("POST", "/v1/devices", body={"serial_number": "SN 1", "name": "other"})
    assert (again.status, again.json) == (200, made)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "serial_number"),
        ({"serial_number": "x" * 129}, "serial_number"),
        ({"serial_number": "1", "model": "another"}, "model"),
        ({"serial_number": "1", "name": "x" * 129}, "name"),
        ({"serial_number": "1", "metadata": {"a": "x" * 8_192}}, "metadata"),
    ],
)
async def test_what_cannot_be_taken_names_its_field(project, body, field):
    answer = await project.call("POST", "/v1/devices", body=body)
    assert (answer.status, answer.error["type"], answer.error["param"]) == (400, "invalid_request", field)


async def test_two_models_at_once_are_refused(project):
    body = {"serial_number": "1", "model": "bota_pin", "device_type": "bota_note"}
    assert (await project.call("POST", "/v1/devices", body=body)).status == 400


async def test_devices_are_listed_newest_first_and_by_whom_they_are_bound_to(project):
    made = [await registered(project) for _ in range(3)]
    first = (await project.call("GET", "/v1/devices?limit=2")).json
    assert (first["data"], first["has_more"]) == (made[:0:-1], True)
    rest = (await project.call("GET", f"/v1/devices?limit=2&cursor={first['next_cursor']}")).json
    assert rest == {"data": made[:1], "has_more": False, "next_cursor": None}
    await bound(project, made[1], "eu_7")
    of_one = (await project.call("GET", "/v1/devices?end_user_id=eu_7")).json
    assert [one["id"] for one in of_one["data"]] == [made[1]["id"]]


async def test_a_change_leaves_what_is_not_sent(project):
    made = await registered(project, name="a", metadata={"a": 1})
    changed = await project.call(
        "PATCH", f"/v1/devices/{made['id']}", body={"name": "b", "firmware_version": "2", "metadata": None}
    )
    expected = made | {"name": "b", "firmware_version": "2", "metadata": {}}
    assert (changed.status, changed.json) == (200, expected | {"updated_at": changed.json["updated_at"]})
    assert (await project.call("PATCH", f"/v1/devices/{made['id']}", body={"name": "x" * 129})).status == 400


async def test_binding_gives_a_token_and_counts_and_unbinding_takes_it_away(service, project):
    made = await registered(project)
    first = await bound(project, made, pk_d="aF" * 64)
    assert set(first) == {*made, "device_token"}
    assert (first["status"], first["end_user_id"], first["binding_generation"]) == ("bound", "eu_1", 1)
    assert (await project.call("GET", "/v1/end-users/eu_1")).json["external_id"] is None
    second = await bound(project, made)
    assert second["binding_generation"] == 1
    assert second["device_token"] != first["device_token"]
    other = await project.call("POST", f"/v1/devices/{made['id']}/bind", body={"end_user_id": "eu_2"})
    assert (other.status, other.error["type"], other.error["code"]) == (409, *["device_already_bound"] * 2)
    tokens = [service.api(one["device_token"]) for one in (first, second)]
    assert [(await one.call("GET", "/v1/devices/me")).status for one in tokens] == [200, 200]
    for _ in range(2):
        answer = await project.call("POST", f"/v1/devices/{made['id']}/unbind")
        found = answer.json
        assert (answer.status, found["status"], found["end_user_id"]) == (200, "unbound", None)
        assert found["binding_generation"] == 1
    assert [(await one.call("GET", "/v1/devices/me")).status for one in tokens] == [401, 401]
    assert (await bound(project, made, "eu_2"))["binding_generation"] == 2
    bad = await project.call("POST", f"/v1/devices/{made['id']}/bind", body={"end_user_id": "eu_2", "pk_d": "00"})
    assert (bad.status, bad.error["param"]) == (400, "pk_d")


async def test_a_device_records_and_says_how_it_is(service, project):
    made = await registered(project)
    device = service.api((await bound(project, made))["device_token"])
    recording = await device.create(device_id="dev_ignored", end_user_id="eu_ignored")
    found = await project.get(recording)
    assert (found["device_id"], found["end_user_id"], found["source"]) == (made["id"], "eu_1", "device")
    said = {
        "battery_percent": 79.6,
        "storage_used_mb": 12,
        "storage_total_mb": 4_096,
        "signal_strength_dbm": -70,
        "recording_state": "idle",
        "firmware_version": "3.1",
    }
    for whose in ("me", made["id"]):
        answer = await device.call("POST", f"/v1/devices/{whose}/heartbeat", body=said)
        assert (answer.status, answer.json) == (200, {"status": "ok"})
    state = (await device.call("GET", "/v1/devices/me/state")).json
    at = state.pop("last_heartbeat_at")
    assert at.endswith("Z")
    assert state == {"id": made["id"]} | said | {"battery_percent": 80}
    assert (await device.call("POST", "/v1/devices/me/heartbeat", body={"recording_state": None})).status == 200
    assert (await device.call("POST", "/v1/devices/me/heartbeat")).status == 200
    shown = (await project.call("GET", f"/v1/devices/{made['id']}")).json
    assert (shown["battery_percent"], shown["recording_state"], shown["firmware_version"]) == (80, None, "3.1")
    for wrong in ({"battery_percent": 101}, {"battery_percent": True}, {"storage_used_mb": -1}):
        assert (await device.call("POST", "/v1/devices/me/heartbeat", body=wrong)).status == 400


async def test_to_a_device_token_no_other_device_exists_and_me_is_nothing_to_an_api_key(service, project):
    mine, other = await registered(project), await registered(project)
    device = service.api((await bound(project, mine))["device_token"])
    for method, below in (("GET", ""), ("GET", "/state"), ("POST", "/heartbeat"), ("GET", "/config/upload")):
        refused = await device.call(method, f"/v1/devices/{other['id']}{below}")
        assert (refused.status, refused.error["type"]) == (404, "not_found"), below
        assert (await project.call(method, f"/v1/devices/me{below}")).status == 404
    assert (await device.call("GET", "/v1/end-users/eu_1/config/upload")).status == 200
    assert (await device.call("GET", "/v1/end-users/eu_2/config/upload")).status == 404


async def test_an_operators_token_is_proof_that_its_device_and_end_user_exist(service, project, new_key):
    its_project = (await registered(project))["project_id"]
    assert (await project.call("GET", "/v1/devices/dev_7")).status == 404
    token = service.api(new_key("device", project_id=its_project, device_id="dev_7", end_user_id="eu_7"))
    assert (await token.call("POST", "/v1/devices/me/heartbeat", body={"battery_percent": 5})).status == 200
    found = (await project.call("GET", "/v1/devices/dev_7")).json
    assert (found["serial_number"], found["status"], found["end_user_id"]) == ("dev_7", "bound", "eu_7")
    assert (found["binding_generation"], found["battery_percent"]) == (1, 5)
    assert (await project.call("GET", "/v1/end-users/eu_7")).json["name"] is None
    renewed = (await token.call("POST", "/v1/devices/me/token/refresh")).json
    assert (await service.api(renewed["device_token"]).call("GET", "/v1/devices/me")).status == 200


async def test_a_device_that_an_operators_token_names_is_there_also_if_its_id_is_anothers_serial_number(
    service, project, new_key
):
    its_project = (await registered(project, serial_number="dev_8"))["project_id"]
    await registered(project, serial_number="dev_8 (2)")
    token = service.api(new_key("device", project_id=its_project, device_id="dev_8", end_user_id="eu_8"))
    found = await token.call("GET", "/v1/devices/me")
    assert (found.status, found.json["id"], found.json["serial_number"]) == (200, "dev_8", "dev_8 (3)")


async def test_no_token_that_was_asked_for_at_once_outlives_unbinding_or_erasing(service, project):
    made = await registered(project)
    for end in (("POST", f"/v1/devices/{made['id']}/unbind"), ("DELETE", "/v1/end-users/eu_1")):
        token = (await bound(project, made))["device_token"]
        refreshes = [service.api(token).call("POST", "/v1/devices/me/token/refresh") for _ in range(20)]
        ended, *renewed = await asyncio.gather(project.call(*end), *refreshes)
        assert ended.status in (200, 204)
        assert {one.status for one in renewed} <= {200, 401}
        tokens = [one.json["device_token"] for one in renewed if one.status == 200]
        alive = [(await service.api(one).call("GET", "/v1/devices/me")).status for one in tokens]
        assert set(alive) <= {401}


async def test_a_token_is_renewed_by_the_device_or_a_key_while_the_device_is_bound(service, project):
    made = await registered(project)
    refused = await project.call("POST", f"/v1/devices/{made['id']}/token/refresh")
    assert (refused.status, refused.error["type"]) == (409, "device_not_bound")
    first = await bound(project, made)
    by_itself = await service.api(first["device_token"]).call("POST", "/v1/devices/me/token/refresh")
    by_key = await project.call("POST", f"/v1/devices/{made['id']}/token/refresh")
    for answer in (by_itself, by_key):
        assert answer.status == 200
        assert answer.json | {"device_token": first["device_token"]} == first
        assert (await service.api(answer.json["device_token"]).call("GET", "/v1/devices/me")).status == 200


PROCESSING = {
    "value": {
        "auto_transcription": {"enabled": True},
        "auto_summary": {"enabled": False},
        "auto_embedding": {"enabled": False},
        "auto_enhancement": {"enabled": False},
    },
    "source": "default",
    "definition": {"merge_strategy": "merge_deep"},
}
UPLOAD = {
    "value": {
        "streaming_enabled": True,
        "streaming_chunk_kb": 1024,
        "streaming_flush_interval_seconds": 144,  # a hundred chunks in four hours
        "daily_data_limit_mb": 65_535,
        "allow_roaming": False,
        "pause_on_low_battery": True,
        "off_peak_hours": None,
    },
    "source": "default",
    "definition": {"merge_strategy": "merge_deep"},
}


async def test_the_configuration_says_what_the_service_does_for_all_that_it_knows(project):
    made = await registered(project)
    await project.create(end_user_id="eu_recorded", device_id="dev_recorded")
    places = ("", f"/devices/{made['id']}", "/devices/dev_recorded", "/end-users/eu_recorded")
    for place in places:
        for section, expected in (("processing", PROCESSING), ("upload", UPLOAD)):
            answer = await project.call("GET", f"/v1{place}/config/{section}")
            assert (answer.status, answer.json) == (200, expected), place
        unknown = await project.call("GET", f"/v1{place}/config/other")
        assert (unknown.status, unknown.error["type"]) == (404, "not_found")
    for place in ("/devices/dev_unknown", "/end-users/eu_unknown"):
        assert (await project.call("GET", f"/v1{place}/config/upload")).status == 404


async def test_encrypted_upload_is_refused_and_the_recording_stays(project):
    made = await project.create(streaming=False)
    path = f"/v1/recordings/{made['id']}"
    for method, below in (
        ("POST", "/encrypted-upload-v2/sessions"),
        ("GET", "/encrypted-upload-v2/sessions/6e3c0a52-6a3f-4b0e-9d43-2f4b8c1d7a90"),
        ("POST", "/upload-relay"),
    ):
        refused = await project.call(method, path + below, body=b"{}" if method == "POST" else None)
        assert (refused.status, refused.error["type"], refused.error["code"]) == (422, *["not_supported"] * 2)
        assert "unencrypted, over TLS" in refused.error["message"]
        unknown = await project.call(method, path[:-1] + ("1" if path[-1] == "0" else "0") + below)
        assert (unknown.status, unknown.error["type"]) == (404, "recording_not_found")
    assert (await project.get(made))["status"] == "pending"


async def test_ciphertext_that_waits_to_be_asked_for_is_not_asked_for(service, project):
    made = await project.create(streaming=False)
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(
        f"POST /v1/recordings/{made['id']}/upload-relay HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n"
        f"Authorization: Bearer {project._token}\r\nExpect: 100-continue\r\n\r\n".encode()
    )
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 422 ")
    assert b"\r\nConnection: close\r\n" in answer
    writer.close()
    await writer.wait_closed()


async def test_grants_and_commands_are_refused_for_devices_that_exist(project):
    made = await registered(project)
    for method, below in (("POST", "/grant"), ("GET", "/commands"), ("POST", "/commands")):
        refused = await project.call(method, f"/v1/devices/{made['id']}{below}")
        assert (refused.status, refused.error["type"]) == (422, "not_supported")
        assert (await project.call(method, f"/v1/devices/dev_unknown{below}")).status == 404
