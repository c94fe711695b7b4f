"""Listening to all that happens in a project, over real HTTP: the messages that Kafka has, in order, each once."""

import asyncio
import re
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

import aiohttp
import orjson
import pytest
from aiohttp import web

from adapters.keys import KeyKind
from service.dialects.bota.view import View
from service.dialects.http.event_streams import EventStreams
from service.dialects.registry import client_ids_of
from service.followers.event_feed import EventFeed
from service.followers.subjects import Subjects
from service.messages.publication import to_message
from service.runtime.web import runner
from tests.domain.histories import chunk, note_ordered, opened
from tests.end_to_end.listening import listening_at
from tests.end_to_end.service_process import Api
from tests.service.running_service import TurnedClock, running_service
from tests.tools.free_ports import free_port

OPENED, STORED, FINALIZED, DELETED = (
    f"tapedeck.recording.{name}.v1" for name in ("opened", "chunk_stored", "finalize_requested", "deleted")
)
ORDERED = "tapedeck.note_order.ordered.v1"


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


async def test_who_was_cut_off_before_anything_was_told_misses_nothing(api):
    await opened_with_a_chunk(api)
    async with listening_at(api, "/v1/events") as heard:
        first = await heard.content.readuntil(b"\n\n")
    (place,) = re.findall(rb"^id: (.*)$", first, re.MULTILINE)
    missed = await opened_with_a_chunk(api)
    async with listening_at(api, "/v1/events", last_id=place.decode()) as again:
        told = [(await again.next()).data["data"]["client_ids"]["recording_id"] for _ in range(2)]
    assert told == [missed["id"]] * 2


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


async def test_of_a_deleted_recording_only_the_deletion_is_heard(running, api):
    deleted, kept = await opened_with_a_chunk(api), await opened_with_a_chunk(api)
    async with listening_at(api, "/v1/events?since=beginning") as early, listening_at(api, "/v1/events") as live:
        told = [(await early.next()).data["data"]["client_ids"]["recording_id"] for _ in range(4)]
        assert told == [deleted["id"]] * 2 + [kept["id"]] * 2
        assert (await api.call("DELETE", f"/v1/recordings/{deleted['id']}")).status == 204
        for heard in (early, live):
            assert (await heard.next()).data["type"] == DELETED
        for late in (await until_now(api), await until_now(api, f"&last_event_id={told_nothing(early)}")):
            assert [(one.data["type"], one.data["data"]["client_ids"]["recording_id"]) for one in late] == [
                (OPENED, kept["id"]),
                (STORED, kept["id"]),
                (DELETED, deleted["id"]),
            ]
    assert (await refused(api, f"?recording_id={deleted['id']}"))[0] == 404


async def test_who_listened_to_a_recording_and_was_away_is_told_that_it_was_deleted(api, other):
    recording = await opened_with_a_chunk(api)
    query = f"?recording_id={recording['id']}"
    async with listening_at(api, f"/v1/events{query}&since=beginning") as heard:
        for _ in range(2):
            await heard.next()
        place = heard.last_id
    assert (await api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
    async with listening_at(api, f"/v1/events{query}", last_id=place) as again:
        assert (await again.next()).data["type"] == DELETED
        assert (await refused(api, query, again.last_id))[0] == 404  # there is nothing more to be told
    for who, never in ((other, recording["id"]), (api, f"rec_{uuid4().hex}")):
        assert (await refused(who, f"?recording_id={never}", place))[0] == 404


async def test_a_deletion_just_when_a_listener_comes_is_told(running, api, monkeypatch):
    recording = await opened_with_a_chunk(api)
    summary = View.summary

    async def deleted_meanwhile(self, key, recording_id):
        found = await summary(self, key, recording_id)
        monkeypatch.undo()
        assert (await api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
        return found

    monkeypatch.setattr(View, "summary", deleted_meanwhile)
    async with listening_at(api, f"/v1/events?recording_id={recording['id']}") as heard:
        assert (await heard.next()).data["type"] == DELETED


async def test_what_happened_before_a_recording_began_is_not_read_for_it(api, monkeypatch):
    for _ in range(2):
        await opened_with_a_chunk(api)
    recording = await opened_with_a_chunk(api)
    read_after, missed = [], EventFeed.missed

    def noted(self, project_id, *, after, limit):
        read_after.append(after)
        return missed(self, project_id, after=after, limit=limit)

    monkeypatch.setattr(EventFeed, "missed", noted)
    told = await until_now(api, f"&recording_id={recording['id']}")
    assert [one.data["type"] for one in told] == [OPENED, STORED]
    positions = [int(one.id.partition("-")[0]) for one in told]
    assert read_after[0] == positions[0] - 1


def told_nothing(heard):
    """The place before the first event."""
    return f"0-{heard.last_id.partition('-')[2]}"


async def test_of_the_notes_of_a_recording_only_a_key_that_may_read_summaries_hears(running, api):
    recording = await opened_with_a_chunk(api)
    its_id, project_id = UUID(recording["id"].removeprefix("rec_")), (await api.get(recording))["project_id"]
    ordered = note_ordered(tenant_id=project_id, recording_id=its_id)
    await running.stores.log.append(uuid4(), 0, [ordered], trace_id=None)
    made = running.stores.keys.create(KeyKind.RESTRICTED, project_id=project_id, scopes=frozenset({"recordings:read"}))
    restricted = Api(api.url, made.token, "")
    query = f"&recording_id={recording['id']}"
    assert [one.data["type"] for one in await until_now(api, f"{query}&types={ORDERED}")] == [ORDERED]
    assert [one.data["type"] for one in await until_now(restricted, query)] == [OPENED, STORED]
    assert (await refused(restricted, f"?types={ORDERED}"))[0] == 403
    assert (await api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
    async with listening_at(api, "/v1/events") as heard:
        await running.stores.log.append(uuid4(), 0, [ordered], trace_id=None)
        other = await opened_with_a_chunk(api)
        assert (await heard.next()).data["data"]["client_ids"]["recording_id"] == other["id"]


async def test_a_page_of_another_origin_may_say_where_it_goes_on(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock(), cors_origins="https://app.example") as running:
        asked = {
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization,last-event-id",
        }
        answer = await running.api.call("OPTIONS", "/v1/events", headers=asked, key=False)
        assert answer.status == 204
        allowed = answer.headers["Access-Control-Allow-Headers"].lower()
        assert "authorization" in allowed
        assert "last-event-id" in allowed
        running.service.drain.begin()


async def hear_until_cut_off(heard, told):
    with suppress(aiohttp.ClientError, ConnectionError):
        while (one := await heard.next()) is not None:
            told.append(one)


@asynccontextmanager
async def served(running, streams, project_id):
    """The running service once more, with other streams, for a new project."""
    service = replace(running.service, parts=replace(running.service.parts, event_streams=streams))
    token = running.stores.keys.create(KeyKind.SECRET, project_id=project_id).token
    server = runner(service)
    await server.setup()
    try:
        port = free_port()
        await web.TCPSite(server, "127.0.0.1", port).start()
        yield Api(f"http://127.0.0.1:{port}", token, "")
    finally:
        streams.end()
        await server.cleanup()


async def test_who_does_not_read_is_cut_off_and_goes_on_where_it_was(running):
    """Their events are more than the system, the client and the service keep of what is not read."""
    streams = EventStreams(4, heartbeat_seconds=0.05, patience_seconds=0.5, random=Random(1))
    async with served(running, streams, "proj_slow") as api:
        expires_at = running.clock.now + timedelta(hours=1)
        events = [opened(tenant_id="proj_slow", expires_at=expires_at), *map(chunk, range(1, 5_000))]
        told = []
        async with listening_at(api, "/v1/events", coding="identity", has_little_room=True) as heard:
            await running.stores.log.append(uuid4(), 0, events, trace_id=None)
            async with asyncio.timeout(300):
                while len(streams):
                    await asyncio.sleep(0.01)
            await hear_until_cut_off(heard, told)
        assert len(told) < len(events)
        while len(told) < len(events):
            async with listening_at(api, "/v1/events?since=beginning&follow=false", heard) as heard:
                await hear_until_cut_off(heard, told)
        assert [one.data["data"]["version"] for one in told] == list(range(1, len(events) + 1))


async def test_signs_of_life_pass_over_what_happens_elsewhere_and_nothing_else(running):
    """Each connection is given up at some place, most of them one that came without an event."""
    streams = EventStreams(4, heartbeat_seconds=0.002, random=Random(1))
    log, expires_at = running.stores.log, running.clock.now + timedelta(hours=1)

    async def write():
        for number in range(400):
            project_id = "proj_own" if number % 20 == 0 else "proj_other"
            await log.append(uuid4(), 0, [opened(tenant_id=project_id, expires_at=expires_at)], trace_id=None)

    async with served(running, streams, "proj_own") as api:
        writing, told, place = asyncio.create_task(write()), [], None
        while not writing.done():
            async with listening_at(api, "/v1/events?since=beginning", last_id=place) as heard:
                for _ in range(3):
                    block = (await heard.content.readuntil(b"\n\n")).decode()
                    fields = dict(line.split(": ", 1) for line in block.splitlines() if line)
                    place = fields["id"]
                    told += [orjson.loads(fields["data"])["id"]] if "data" in fields else []
        await writing
        async with listening_at(api, "/v1/events?follow=false", last_id=place) as heard:
            told += [one.data["id"] for one in await heard.rest()]
        again = [one.data["id"] for one in await until_now(api)]
    assert (told, len(again)) == (again, 20)
