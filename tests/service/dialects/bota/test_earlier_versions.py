"""A recording is told as it stood after any of its events."""

import pytest

from adapters.keys import KeyKind
from tests.end_to_end.service_process import Api
from tests.service.running_service import TurnedClock, running_service


@pytest.fixture
async def running(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        yield running


async def as_it_stood(api, recording, version):
    return await api.call("GET", f"/v1/recordings/{recording['id']}?version={version}")


async def test_each_event_of_the_history_has_a_state_of_its_own_and_the_last_is_the_state_now(running):
    api = running.api
    recording = await api.upload([b"no audio"], name="Visit")
    await api.finalize(recording, 1)
    await api.ended(recording)
    history = (await api.get(recording, "/events"))["data"]
    assert [event["type"] for event in history] == ["RecordingOpened", "ChunkStored", "FinalizeRequested", "Failed"]
    states = [(await as_it_stood(api, recording, event["version"])).json for event in history]
    assert [state["status"] for state in states] == ["streaming", "streaming", "uploaded", "failed"]
    assert [state["failure"] is None for state in states] == [True, True, True, False]
    assert [state["version"] for state in states] == [1, 2, 3, 4]
    assert [state["updated_at"] for state in states] == [event["at"] for event in history]
    assert {state["name"] for state in states} == {"Visit"}
    now = await api.get(recording)
    assert states[-1] == now | {"version": 4}
    assert "version" not in now


async def test_events_tell_the_trace_of_the_request_that_they_came_of(running):
    traced = {"x-correlation-id": "0f8fad5b-d9cb-469f-a165-70867728950e"}
    answer = await running.api.call(
        "POST", "/v1/recordings", body={"streaming": True, "end_user_id": "eu_1"}, headers=traced
    )
    (opened,) = (await running.api.get(answer.json, "/events"))["data"]
    assert opened["trace_id"] == answer.headers["x-correlation-id"]


@pytest.mark.parametrize(("version", "status"), [("3", 404), ("0", 400), ("x", 400), ("-1", 400), ("9" * 30, 400)])
async def test_an_event_that_there_is_not_is_named_as_such(running, version, status):
    recording = await running.api.upload([b"1"])
    refused = await as_it_stood(running.api, recording, version)
    assert refused.status == status
    assert refused.error["type"] == ("version_not_found" if status == 404 else "invalid_request")
    assert ("/events" if status == 404 else "version") in refused.error["message"]


async def test_a_deleted_recording_and_that_of_another_project_have_no_earlier_states(running):
    recording = await running.api.upload([b"1"])
    token = running.stores.keys.create(KeyKind.SECRET, project_id="proj_other").token
    stranger = Api(running.api.url, token, "eu_1")
    assert (await as_it_stood(stranger, recording, 1)).error["type"] == "recording_not_found"
    assert (await running.api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
    assert (await as_it_stood(running.api, recording, 1)).error["type"] == "recording_not_found"
