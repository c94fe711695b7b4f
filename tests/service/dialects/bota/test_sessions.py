"""The ambient sessions of Dragon's clients, as a key of their project sees them."""

import pytest

from adapters.keys import KeyKind
from service.dialects.dragon.names import SessionName, recording_named, tenant_of_customer
from service.dialects.http.json_answers import utc_text
from tests.end_to_end.dragon_client import Dragon, found, silence
from tests.service.running_service import TurnedClock, running_service

SESSIONS = "/v1/ambient-sessions"


@pytest.fixture
async def service(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        yield running


async def listed(service, query=""):
    answer = await service.api.call("GET", SESSIONS + query)
    assert answer.status == 200, answer
    return answer.json


async def told(service, dragon):
    answer = await service.api.call("GET", f"{SESSIONS}/{public_id(dragon)}")
    assert answer.status == 200, answer
    return answer.json


def public_id(dragon):
    return f"ses_{SessionName(dragon.named['customerId'], dragon.correlation_id).id.hex}"


async def test_a_session_is_listed_as_it_was_announced_and_shown_with_its_recordings(service):
    dragon = await Dragon.connect(service)
    tenant = tenant_of_customer(dragon.named["customerId"])
    assert await listed(service) == {"data": [], "has_more": False, "next_cursor": None}
    assert (await dragon.announce(externalUserId="dr-1", data='{"free": "text about a patient"}')).status == 200
    began = utc_text(service.clock.now)
    service.turn(minutes=1)
    assert (await dragon.store(1, silence())).status == 200
    assert (await dragon.store(1, None, recording_id=2)).status == 200
    (session,) = (await listed(service))["data"]
    assert session == {
        "id": public_id(dragon),
        "project_id": tenant,
        "status": "open",
        "correlation_id": dragon.correlation_id,
        "partner_id": dragon.named["partnerId"],
        "product_id": dragon.named["productId"],
        "external_user_id": "dr-1",
        "ehr_instance_id": None,
        "recording_count": 2,
        "created_at": began,
        "last_activity_at": utc_text(service.clock.now),
        "ended_at": None,
    }
    whole = await told(service, dragon)
    recordings = whole.pop("recordings")
    assert whole == session
    ids = {f"rec_{recording_named(tenant, dragon.correlation_id, number).hex}" for number in (1, 2)}
    assert ({one["id"] for one in recordings}, {one["status"] for one in recordings}) == (ids, {"streaming"})
    first = await found(service.api, dragon.correlation_id)
    (short,) = [one for one in recordings if one["id"] == first["id"]]
    assert short == {name: first[name] for name in short}
    assert "patient" not in str(whole)


async def test_the_states_of_recordings_follow_and_a_deleted_one_is_in_no_session(service):
    dragon = await Dragon.connect(service)
    await dragon.announce()
    for number in (1, 2):
        assert (await dragon.store(1, silence(), recording_id=number)).status == 200
    assert (await dragon.finalize(2, 2)).status == 200  # and waits for its second chunk
    recordings = (await told(service, dragon))["recordings"]
    assert {one["external_id"]: one["status"] for one in recordings} == {
        f"{dragon.correlation_id}/1": "streaming",
        f"{dragon.correlation_id}/2": "uploaded",
    }
    first, kept = [await found(service.api, dragon.correlation_id, number) for number in (1, 2)]
    assert (await service.api.call("DELETE", f"/v1/recordings/{first['id']}")).status == 204
    whole = await told(service, dragon)
    assert ([one["id"] for one in whole["recordings"]], whole["recording_count"]) == ([kept["id"]], 1)


async def test_a_session_is_ended_until_it_is_announced_again_and_lists_are_of_either_kind(service):
    going_on, over = [await Dragon.connect(service) for _ in range(2)]
    for dragon in (going_on, over):
        await dragon.announce()
        service.turn(minutes=1)
    await over.end()
    ended = await told(service, over)
    assert (ended["status"], ended["ended_at"]) == ("ended", utc_text(service.clock.now))
    by_status = {
        status: [one["id"] for one in (await listed(service, f"?status={status}"))["data"]]
        for status in ("open", "ended")
    }
    assert by_status == {"open": [public_id(going_on)], "ended": [public_id(over)]}
    service.turn(minutes=1)
    await over.announce()
    again = await told(service, over)
    assert (again["status"], again["ended_at"]) == ("open", None)
    assert again["created_at"] == ended["created_at"]
    assert (await service.api.call("GET", f"{SESSIONS}?status=over")).status == 400


async def test_pages_go_on_where_the_one_before_ended_the_newest_session_first(service):
    dragons = []
    for _ in range(3):
        dragons.insert(0, await Dragon.connect(service))
        await dragons[0].announce()
        service.turn(minutes=1)
    first = await listed(service, "?limit=2")
    assert [one["id"] for one in first["data"]] == [public_id(dragon) for dragon in dragons[:2]]
    rest = await listed(service, f"?limit=2&cursor={first['next_cursor']}")
    assert ([one["id"] for one in rest["data"]], rest["next_cursor"]) == ([public_id(dragons[2])], None)
    for _ in range(2):
        await service.api.create()
    of_recordings = (await service.api.call("GET", "/v1/recordings?limit=1")).json["next_cursor"]
    for cursor in (of_recordings, "nonsense"):
        assert (await service.api.call("GET", f"{SESSIONS}?cursor={cursor}")).status == 400


async def test_what_is_no_session_of_the_project_is_not_found(service):
    dragon, unannounced = [await Dragon.connect(service) for _ in range(2)]
    await dragon.announce()
    await unannounced.store(1, silence(), skipAmbientSessionExistence=True)
    token = service.stores.keys.create(KeyKind.SECRET, project_id="proj_another").token
    other = type(service.api)(service.url, token, "eu_1")
    for api, its_id in [
        (other, public_id(dragon)),
        (service.api, public_id(unannounced)),
        (service.api, f"ses_{'0' * 32}"),
        (service.api, "nonsense"),
    ]:
        answer = await api.call("GET", f"{SESSIONS}/{its_id}")
        assert (answer.status, answer.error["message"]) == (404, "There is no such ambient session.")
    assert (await other.call("GET", SESSIONS)).json["data"] == []
    assert [one["id"] for one in (await listed(service))["data"]] == [public_id(dragon)]
    await unannounced.announce()
    assert (await told(service, unannounced))["recording_count"] == 1


async def test_a_service_that_was_upgraded_makes_the_list_from_the_log_and_a_restart_keeps_it(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock()) as service:
        dragon = await Dragon.connect(service)
        await dragon.announce()
        await dragon.store(1, silence())
        before = await told(service, dragon)
    async with running_service(tmp_path / "data", TurnedClock()) as again:
        assert await told(again, dragon) == before
    (tmp_path / "data" / "ambient_sessions.sqlite3").unlink()  # earlier releases had none
    for file in (tmp_path / "data").glob("ambient_sessions.sqlite3-*"):
        file.unlink()
    async with running_service(tmp_path / "data", TurnedClock()) as upgraded:
        assert await told(upgraded, dragon) == before
