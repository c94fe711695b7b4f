"""Lists: newest first, by page, and nothing twice or never while they grow."""

import asyncio
from datetime import datetime

import pytest

from tests.end_to_end.service_process import short_speech


async def page(api, path="/v1/recordings", **query):
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = await api.call("GET", f"{path}?{asked}")
    assert answer.status == 200, answer
    assert answer.json.keys() == {"data", "has_more", "next_cursor"}
    return answer.json


async def pages(api, path="/v1/recordings", **query):
    """All pages, by cursor."""
    found = await page(api, path, **query)
    while True:
        yield found["data"]
        assert found["has_more"] == (found["next_cursor"] is not None)
        if not found["has_more"]:
            return
        found = await page(api, path, **query, cursor=found["next_cursor"])


async def all_ids(api, path="/v1/recordings", **query):
    return [one["id"] async for data in pages(api, path, **query) for one in data]


async def test_recordings_are_listed_newest_first_as_the_objects_they_are(project):
    created = [await project.create(name=f"number {number}") for number in range(5)]
    listed = (await page(project))["data"]
    assert [one["id"] for one in listed] == [one["id"] for one in reversed(created)]
    assert listed == [await project.get(one) for one in reversed(created)]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_cursor_and_offset_cut_the_same_list(project, limit):
    ids = [(await project.create())["id"] for _ in range(7)][::-1]
    assert await all_ids(project, limit=limit) == ids
    assert [one["id"] for one in (await page(project, limit=limit, offset=3))["data"]] == ids[3 : 3 + limit]
    assert (await page(project, offset=7)) == {"data": [], "has_more": False, "next_cursor": None}


async def test_an_empty_list_is_a_list_and_25_are_a_page(project):
    assert (await page(project)) == {"data": [], "has_more": False, "next_cursor": None}
    await asyncio.gather(*(project.create() for _ in range(26)))
    assert len((await page(project))["data"]) == 25


async def test_what_existed_at_the_start_is_listed_exactly_once_while_more_are_created(project):
    existed = [(await project.create())["id"] for _ in range(40)]
    done = asyncio.Event()

    async def create_more():
        while not done.is_set():
            await project.create()

    creating = [asyncio.create_task(create_more()) for _ in range(4)]
    listed = []
    async for data in pages(project, limit=3):
        listed += data
        await project.create()
    done.set()
    await asyncio.gather(*creating)
    ids = [one["id"] for one in listed]
    assert len(ids) == len(set(ids))
    assert set(existed) <= set(ids)
    times = [datetime.fromisoformat(one["created_at"]) for one in listed]
    assert times == sorted(times, reverse=True)
    assert set(await all_ids(project, limit=100)) > set(existed)


async def test_filters_are_by_device_by_end_user_and_by_status(project):
    one = await project.create(device_id="dev_1", end_user_id="eu_1")
    two = await project.create(device_id="dev_2", end_user_id="eu_1")
    whole = await project.create(streaming=False, end_user_id="eu_2")
    failed = await project.upload([b"not audio"], device_id="dev_2", end_user_id="eu_2")
    await project.finalize(failed, 1)
    await project.ended(failed)
    for query, expected in [
        ({"device_id": "dev_1"}, [one]),
        ({"device_id": "dev_2"}, [failed, two]),
        ({"end_user_id": "eu_1"}, [two, one]),
        ({"status": "streaming"}, [two, one]),
        ({"status": "pending"}, [whole]),
        ({"status": "failed"}, [failed]),
        ({"status": "failed", "device_id": "dev_2", "end_user_id": "eu_2"}, [failed]),
        ({"status": "streaming", "end_user_id": "eu_2"}, []),
        ({"status": "integrity_failure"}, []),
    ]:
        assert await all_ids(project, limit=1, **query) == [recording["id"] for recording in expected], query


async def test_a_deleted_recording_is_in_no_list(project):
    kept, gone = await project.create(), await project.upload([b"not audio"])
    await project.finalize(gone, 1)
    assert (await project.call("DELETE", f"/v1/recordings/{gone['id']}")).status == 204
    assert await all_ids(project) == [kept["id"]]
    assert await all_ids(project, "/v1/transcriptions") == []


async def test_another_projects_recordings_are_in_no_list(project, api):
    await api.upload([b"not audio"])
    assert await all_ids(project) == []
    assert await all_ids(project, "/v1/transcriptions") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("offset=-1", "offset"),
        ("offset=99999999999", "offset"),
        ("status=ready", "status"),
        ("device_id=1", "device_id"),
        ("end_user_id=eu-1", "end_user_id"),
        ("cursor=x", "cursor"),
        ("cursor=%00%ff", "cursor"),
        ("cursor=YzAwMDEtMDEtMDFUMDA6MDA6MDArMTQ6MDAgMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA", "cursor"),
    ],
)
async def test_a_query_that_means_nothing_is_refused_and_its_field_named(project, query, field):
    answer = await project.call("GET", f"/v1/recordings?{query}")
    assert (answer.status, answer.error["type"]) == (400, "invalid_request")
    assert answer.error["details"]["field"] == field


async def test_a_cursor_is_of_one_list_and_excludes_an_offset(project):
    for _ in range(2):
        await project.create()
    cursor = (await page(project, limit=1))["next_cursor"]
    both = await project.call("GET", f"/v1/recordings?cursor={cursor}&offset=1")
    assert (both.status, both.error["details"]["field"]) == (400, "offset")
    other = await project.call("GET", f"/v1/transcriptions?cursor={cursor}")
    assert (other.status, other.error["details"]["field"]) == (400, "cursor")


async def test_transcriptions_are_listed_newest_first_and_by_recording(project):
    finalized = []
    for _ in range(3):
        recording = await project.upload([short_speech()], codec="wav")
        await project.finalize(recording, 1)
        finalized.append(recording)
    await project.create()
    for recording in finalized:
        await project.ended(recording)
    expected = [recording["id"].replace("rec_", "txn_") for recording in reversed(finalized)]
    assert await all_ids(project, "/v1/transcriptions", limit=2) == expected
    (only,) = (await page(project, "/v1/transcriptions", recording_id=finalized[0]["id"]))["data"]
    assert only == await project.transcript(finalized[0])
    assert (await page(project, "/v1/transcriptions", recording_id="rec_unknown"))["data"] == []


async def test_asking_for_a_transcription_gives_the_one_there_is(project):
    recording = await project.upload([short_speech()], codec="wav")
    early = await project.call("POST", "/v1/transcriptions", body={"recording_id": recording["id"]})
    assert (early.status, early.error["type"]) == (409, "not_ready")
    await project.finalize(recording, 1)
    asked = await project.call("POST", "/v1/transcriptions", body={"recording_id": recording["id"], "language": "en"})
    assert asked.status == 201
    assert asked.json["recording_id"] == recording["id"]
    assert asked.json["status"] in ("pending", "processing", "completed")
    done = await project.transcript(recording)
    assert done["id"] == asked.json["id"]
    again = await project.call("POST", "/v1/transcriptions", body={"recording_id": recording["id"]})
    assert (again.status, again.json) == (201, done)
    for body, status in [({"recording_id": "rec_0"}, 404), ({}, 400), ({"recording_id": 7}, 400)]:
        assert (await project.call("POST", "/v1/transcriptions", body=body)).status == status
