"""Listening to all that happens in a project, over real HTTP: the messages that Kafka has, in order, each once."""

import orjson
import pytest

from adapters.keys import KeyKind
from service.dialects.registry import client_ids_of
from service.followers.subjects import Subjects
from service.messages.publication import to_message
from tests.end_to_end.listening import listening_at
from tests.end_to_end.service_process import Api, short_speech
from tests.service.running_service import TurnedClock, running_service

OPENED, STORED, FINALIZED = (
    f"tapedeck.recording.{name}.v1" for name in ("opened", "chunk_stored", "finalize_requested")
)


@pytest.fixture
async def running(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock(), event_listeners=6) as running:
        yield running
        running.service.drain.begin()


@pytest.fixture
def api(running):
    return running.api


@pytest.fixture
async def other(running):
    """Another project."""
    made = running.stores.keys.create(KeyKind.SECRET, project_id="proj_other")
    api = Api(running.settings.base_url, made.token, "")
    answer = await api.call("POST", "/v1/end-users", body={"external_id": "x"})
    assert answer.status == 201, answer
    return Api(api.url, made.token, answer.json["id"])


async def opened_with_a_chunk(api, body=b"one"):
    recording = await api.create()
    assert (await api.put(recording, 1, body)).status == 200
    return recording


async def until_now(api, query=""):
    async with listening_at(api, f"/v1/events?since=beginning&follow=false{query}") as heard:
        assert heard.status == 200
        return await heard.rest()


async def refused(api, query, last_id=None):
    async with listening_at(api, f"/v1/events{query}", last_id=last_id) as heard:
        return heard.status, orjson.loads(await heard.content.read())


async def test_a_listener_hears_what_happens_from_now_on_as_kafka_has_it(running, api):
    await opened_with_a_chunk(api)
    async with listening_at(api, "/v1/events") as heard:
        assert heard.headers["Content-Type"] == "text/event-stream"
        recording = await opened_with_a_chunk(api)
        told = [await heard.next() for _ in range(2)]
    assert [one.event for one in told] == ["message"] * 2
    recorded = (await running.stores.log.read(after=0))[-2:]
    client_ids = await Subjects(running.stores.log, client_ids_of, {}).of(recorded)
    for one, event, ids in zip(told, recorded, client_ids, strict=True):
        message = to_message(event, ids)
        headers = {name.removeprefix("ce_"): value.decode() for name, value in message.headers}
        data = one.data.pop("data")
        assert one.data.pop("datacontenttype") == headers.pop("content-type")
        assert one.data == headers
        assert data == orjson.loads(message.value)
        assert data["client_ids"]["recording_id"] == recording["id"]


async def test_a_listener_who_comes_back_misses_and_doubles_nothing(api):
    async with listening_at(api, "/v1/events") as heard:
        first = await opened_with_a_chunk(api)
        assert (await heard.next()).data["type"] == OPENED
    second = await opened_with_a_chunk(api)
    async with listening_at(api, "/v1/events", heard) as again:
        third = await opened_with_a_chunk(api)
        told = [(await again.next()).data for _ in range(5)]
    assert [(one["type"], one["data"]["client_ids"]["recording_id"]) for one in told] == [
        (STORED, first["id"]),
        *[(event, recording["id"]) for recording in (second, third) for event in (OPENED, STORED)],
    ]


async def test_from_the_beginning_to_now_is_all_there_is_once(running, api):
    for _ in range(3):
        await opened_with_a_chunk(api)
    told = await until_now(api)
    ids = [f"{event.stream_id}/{event.version}" for event in await running.stores.log.read(after=0)]
    assert [one.data["id"] for one in told] == ids
    async with listening_at(api, "/v1/events?follow=false", last_id=told[2].id) as heard:
        assert [one.data["id"] for one in await heard.rest()] == ids[3:]
    async with listening_at(api, f"/v1/events?follow=false&last_event_id={told[-1].id}") as heard:
        assert await heard.rest() == []


async def test_what_happens_in_another_project_is_not_heard(api, other):
    async with listening_at(other, "/v1/events") as heard:
        await opened_with_a_chunk(api)
        own = await opened_with_a_chunk(other)
        told = [(await heard.next()).data["data"] for _ in range(2)]
    assert {one["client_ids"]["recording_id"] for one in told} == {own["id"]}
    assert {one.data["data"]["client_ids"]["recording_id"] for one in await until_now(other)} == {own["id"]}


async def test_only_what_is_wanted_is_heard(api, other):
    recordings = [await opened_with_a_chunk(api) for _ in range(2)]
    wanted = recordings[1]["id"]
    assert [one.data["type"] for one in await until_now(api, f"&types={STORED},{FINALIZED}")] == [STORED] * 2
    of_one = await until_now(api, f"&recording_id={wanted}")
    assert [one.data["data"]["client_ids"]["recording_id"] for one in of_one] == [wanted] * 2
    async with listening_at(api, f"/v1/events?types={OPENED}&recording_id={wanted}&since=beginning") as heard:
        await opened_with_a_chunk(api)
        assert (await heard.next()).data["subject"] == of_one[0].data["subject"]
    status, error = await refused(api, "?types=tapedeck.recording.opened.v9")
    assert (status, error["error"]["message"]) == (
        400,
        "types: No event has the type tapedeck.recording.opened.v9.",
    )
    assert (await refused(other, f"?recording_id={wanted}"))[0] == 404


async def test_a_place_that_is_not_in_this_log_is_refused(api):
    await opened_with_a_chunk(api)
    position, mark = (await until_now(api))[-1].id.split("-")
    for other_place in (f"{position}-00000000", f"{int(position) + 1}-{mark}"):
        status, error = await refused(api, "", other_place)
        assert status == 400
        assert "another service or another state of its data" in error["error"]["message"]
    assert (await refused(api, "", "7"))[0] == 400


async def test_only_a_key_that_may_read_recordings_hears(running, api):
    made = running.stores.keys.create(KeyKind.RESTRICTED, project_id="proj_x", scopes=["webhooks:read"])
    assert (await refused(Api(api.url, made.token, None), ""))[0] == 403


@pytest.mark.slow
async def test_the_order_of_a_note_is_heard_with_its_recording(api):
    recording = await api.upload([short_speech()], codec="wav")
    await api.finalize(recording, 1)
    transcription = await api.transcript(recording)
    answer = await api.call("POST", f"/v1/transcriptions/{transcription['id']}/summaries", body={})
    assert answer.status in (201, 202), answer
    ordered = "tapedeck.note_order.ordered.v1"
    (heard,) = await until_now(api, f"&recording_id={recording['id']}&types={ordered}")
    assert heard.data["data"]["recording_id"] == heard.data["data"]["client_ids"]["recording_id"].replace("rec_", "")
