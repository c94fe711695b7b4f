"""How the service stands: what one project is told of its own work, and never of another's."""

import asyncio
from datetime import datetime, timedelta

import pytest

from adapters.keys import KeyKind
from service.dialects.http.json_answers import utc_text
from tests.end_to_end.service_process import short_speech, slices
from tests.service.running_service import Running, TurnedClock, running_service


@pytest.fixture
async def service(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        yield running


def of(service: Running, project_id: str):
    token = service.stores.keys.create(KeyKind.SECRET, project_id=project_id).token
    return type(service.api)(service.api.url, token, "eu_1")


async def standing(api):
    answer = await api.call("GET", "/v1/operations")
    assert answer.status == 200, answer
    return answer.json


async def until(api, holds):
    async with asyncio.timeout(240):
        while not holds(told := await standing(api)):
            await asyncio.sleep(0.02)
    return told


def is_caught_up(told):
    return told["log_head"] > 0 and all(follower["lag"] == 0 for follower in told["followers"])


async def test_every_follower_comes_to_the_end_of_the_log_and_nothing_waits(service):
    recording = await service.api.upload(slices(short_speech(), 2), codec="wav")
    await service.api.finalize(recording, 2)
    await service.api.ended(recording)
    told = await until(service.api, is_caught_up)
    assert {follower["position"] for follower in told["followers"]} == {told["log_head"]}
    names = {follower["name"] for follower in told["followers"]}
    assert {"summaries", "search", "usage", "webhooks", "stitch", "transcribe", "note", "erase"} <= names
    assert told["publisher"] is None
    assert [(stage["name"], stage["waiting"], stage["working"]) for stage in told["stages"]] == [
        ("stitch", 0, 0),
        ("transcribe", 0, 0),
        ("note", 0, 0),
    ]
    assert told["usage"]["recordings"] == {"used": 1, "limit": None}
    assert told["usage"]["bytes"]["used"] >= len(short_speech())


async def test_what_is_begun_and_uploaded_is_told_by_the_minute_for_an_hour(service):
    service.turn(seconds=60 - service.clock.now.second)  # so that what follows is within one minute
    await service.api.create()
    whole = await service.api.upload([short_speech()], codec="wav")
    await service.api.finalize(whole, 1)
    now = service.clock.now
    last = {"at": utc_text(now.replace(second=0, microsecond=0)), "begun": 2, "uploaded": 1}
    told = await until(service.api, lambda told: told["last_hour"][-1] == last)  # figures are looked up one by one
    assert len(told["last_hour"]) == 60
    begins = [datetime.fromisoformat(minute["at"]) for minute in told["last_hour"]]
    assert begins[-1] == now.replace(second=0, microsecond=0)
    assert begins == [begins[-1] - timedelta(minutes=60 - 1 - number) for number in range(60)]
    service.turn(minutes=59)
    told = await standing(service.api)
    assert (told["last_hour"][0]["begun"], sum(one["begun"] for one in told["last_hour"])) == (2, 2)
    service.turn(minutes=1)
    assert not any(minute["begun"] or minute["uploaded"] for minute in (await standing(service.api))["last_hour"])


async def test_a_project_is_told_its_own_figures_alone(service):
    mine, theirs = of(service, "proj_1"), of(service, "proj_2")
    for _ in range(3):
        await theirs.create()
    broken = await theirs.upload([b"no audio"])
    await theirs.finalize(broken, 1)
    await theirs.ended(broken)
    await mine.create()
    await until(mine, is_caught_up)
    told = await standing(mine)
    unfinished = {"pending": 0, "streaming": 1, "uploaded": 0, "processing": 0, "failed": 0, "integrity_failure": 0}
    assert told["recordings"] == unfinished
    assert [told["usage"][name]["used"] for name in ("recordings", "open_recordings", "bytes")] == [1, 1, 0]
    assert sum(minute["begun"] for minute in told["last_hour"]) == 1
    other = await standing(theirs)
    assert (other["recordings"]["streaming"], other["recordings"]["failed"]) == (3, 1)
    assert other["usage"]["recordings"]["used"] == 4


async def test_quotas_are_told_with_what_is_used_of_them(tmp_path):
    async with running_service(tmp_path / "data", TurnedClock(), quota_bytes=1_000) as service:
        told = await standing(service.api)
        assert told["usage"]["bytes"] == {"used": 0, "limit": 1_000}
