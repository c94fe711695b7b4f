"""The service with PostgreSQL, as real processes: either of them is killed and started again."""

import asyncio
import hashlib
import os
from contextlib import contextmanager

import aiohttp
import pytest

from tests.end_to_end.service_process import Api, ServiceProcess, short_speech, slices
from tests.tools.postgres.server import PostgresServer

MOST = 12
WHOLE_LIFE = ["RecordingOpened", *["ChunkStored"] * 3, "FinalizeRequested", "Stitched", "Transcribed"]


class AskAgain(Exception):
    """The process that was asked could not reach the one that was killed."""


@pytest.fixture
def service(tmp_path, own_postgres):
    service = ServiceProcess(tmp_path / "data", {"DATABASE_URL": f"{own_postgres.new_database()}?connect_timeout=2"})
    yield service
    service.kill()


@pytest.mark.slow
async def test_a_recording_goes_all_the_way_whichever_of_the_two_is_killed(service, own_postgres):
    api = (await service.start()).api()
    recording = await api.upload(slices(short_speech(), 3))
    await service.restart()
    own_postgres.kill()
    own_postgres.start()
    while (finalized := await api.finalize(recording, 3)).status == 503:
        await asyncio.sleep(0.1)
    assert finalized.status == 200
    await service.restart()
    assert (await api.ended(recording))["status"] == "completed"
    assert await api.event_types(recording) == WHOLE_LIFE
    assert not (service.data_dir / "tapedeck.sqlite3").exists()


@contextmanager
def away(server):
    server.stop()
    yield
    server.start()


@pytest.mark.slow
@pytest.mark.parametrize("interruption", [away, PostgresServer.stopped_in_its_tracks])
async def test_while_the_database_is_away_uploads_get_a_503_and_afterwards_all_that_was_acknowledged_is_there(
    service, own_postgres, interruption
):
    api = (await service.start()).api()
    recording = await api.create()
    chunks = [os.urandom(size) for size in (1, 70_000)]
    assert (await api.put(recording, 1, chunks[0])).status == 200
    with interruption(own_postgres):
        refused = await api.put(recording, 2, chunks[1])
        assert refused.status == 503
        assert refused.headers["Retry-After"]
    while (await api.put(recording, 2, chunks[1])).status == 503:
        await asyncio.sleep(0.1)
    events = await asked_until_answered(api, f"/v1/recordings/{recording['id']}/events")
    assert [event["type"] for event in events] == ["RecordingOpened", "ChunkStored", "ChunkStored"]
    found = await asked_until_answered(api, f"/v1/recordings/{recording['id']}/chunks")
    assert [chunk["sha256"] for chunk in found] == [hashlib.sha256(chunk).hexdigest() for chunk in chunks]


async def asked_until_answered(api, path):
    """The list at the path. Of several processes and connections some find the database again later than others."""
    while (answer := await api.call("GET", path)).status == 503:
        await asyncio.sleep(0.1)
    assert answer.status == 200
    return answer.json["data"]


@pytest.mark.slow
async def test_a_second_service_on_the_database_is_refused_until_the_first_has_ended(service, tmp_path):
    api = (await service.start()).api()
    recording = await api.create()
    second = ServiceProcess(tmp_path / "other", service.settings)
    process = second.launch(second.command, second.settings | {"DATA_DIR": str(second.data_dir)})
    assert await asyncio.to_thread(process.wait) == 1
    said = second.log_file.read_text().splitlines()[-1]
    assert said.startswith("Error: The service cannot start: Another tapedeck is running on postgresql://127.0.0.1:")
    assert (await api.put(recording, 1, b"x")).status == 200
    service.kill()
    try:
        # The keys are in the database, so the first one's are good for the second.
        await second.start()
        there = Api(second.url, service.credentials["api_key"], service.credentials["end_user_id"])
        assert await there.event_types(recording) == ["RecordingOpened", "ChunkStored"]
    finally:
        second.kill()


@pytest.mark.slow
async def test_what_is_made_of_the_log_and_what_is_registered_is_there_after_a_kill_of_the_database(
    service, own_postgres
):
    api = (await service.start()).api()
    webhook = await api.call(
        "POST", "/v1/webhooks", body={"url": "http://127.0.0.1:9/", "events": ["recording.created"]}
    )
    assert webhook.status == 201, webhook.json
    recording = await api.create()
    own_postgres.kill()
    while (await api.call("GET", "/v1/recordings")).status == 200:
        await asyncio.sleep(0.1)
    refused = await api.call("GET", f"/v1/recordings/{recording['id']}")
    assert (refused.status, "Retry-After" in refused.headers) == (503, True)
    metrics = await api.call("GET", "/metrics")
    assert (metrics.status, b"\ntapedeck_project_bytes{" in metrics.body) == (200, False)
    own_postgres.start()
    while (listed := await api.call("GET", "/v1/recordings")).status == 503:
        await asyncio.sleep(0.1)
    assert [one["id"] for one in listed.json["data"]] == [recording["id"]]
    while (webhooks := await api.call("GET", "/v1/webhooks")).status == 503:
        await asyncio.sleep(0.1)
    assert len(webhooks.json["data"]) == 1
    assert list(service.data_dir.glob("*.sqlite3")) == []


@pytest.mark.slow
async def test_a_project_gets_its_quota_and_no_more_if_the_service_is_killed_while_it_takes_it(service):
    service.settings |= {"QUOTA_RECORDINGS": str(MOST)}
    api = (await service.start()).api()
    asked = {"streaming": True, "end_user_id": service.credentials["end_user_id"], "codec": "opus"}

    async def opens() -> bool:
        answer = await api.call("POST", "/v1/recordings", body=asked)
        if answer.status == 503:
            raise AskAgain
        assert (answer.status == 201) or answer.error["quota"] == "recordings", answer
        return answer.status == 201

    flood = [asyncio.create_task(opens()) for _ in range(3 * MOST)]
    await asyncio.wait(flood[:3])
    await service.restart()
    cut_off = [error for error in await asyncio.gather(*flood, return_exceptions=True) if isinstance(error, Exception)]
    assert all(isinstance(error, aiohttp.ClientError | AskAgain) for error in cut_off), cut_off
    async with asyncio.timeout(60):
        while len(listed := (await api.call("GET", "/v1/recordings")).json["data"]) < MOST:
            await opens()
    assert len(listed) == MOST
    assert not await opens()
    assert (await api.call("DELETE", f"/v1/recordings/{listed[0]['id']}")).status == 204
    async with asyncio.timeout(60):
        while not await opens():
            pass
    assert not await opens()


@pytest.mark.slow
async def test_no_line_of_the_service_s_has_the_database_s_password(service, own_postgres):
    await service.start()
    own_postgres.stop()
    assert service.stop() == 0
    assert "sesame" not in service.log_file.read_text()
