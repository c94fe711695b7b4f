"""The service with its blobs at Google or Azure, as a real process: a recording's whole life there, and its end."""

import asyncio

import aiohttp
import pytest

from tests.end_to_end.profile import in_files
from tests.end_to_end.service_process import ServiceProcess, short_speech, slices
from tests.end_to_end.test_bucket import WHOLE_LIFE, tapedeck
from tests.end_to_end.test_copy import COMPLETE, copy
from tests.end_to_end.test_download import download

CLOUDS = ["azure", "gcs"]


@pytest.fixture(params=CLOUDS)
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def bucket(server):
    return f"{server.new_bucket()}/tapes?endpoint={server.endpoint}"


@pytest.fixture
def service(tmp_path, bucket):
    data_dir = tmp_path / "data"
    service = ServiceProcess(data_dir, {**in_files(data_dir), "BLOB_URL": bucket, "DOWNLOAD_REDIRECT_SECONDS": "60"})
    yield service
    service.kill()


@pytest.mark.slow
async def test_a_recording_goes_all_the_way_and_is_deleted_to_the_last_byte(service, server, bucket):
    api = (await service.start()).api()
    chunks = slices(short_speech(), 3)
    recording = await api.upload(chunks)
    assert server.contains(bucket, chunks[1])
    assert not (service.data_dir / "blobs").exists()
    await service.restart()
    assert (await api.finalize(recording, 3)).status == 200
    assert (await api.transcript(recording))["text"]
    assert await api.event_types(recording) == WHOLE_LIFE
    url = (await api.get(recording, "/download-url"))["download_url"]
    async with aiohttp.ClientSession() as session:
        async with session.get(url, allow_redirects=False) as redirected:
            assert redirected.status == 302
            assert redirected.headers["Location"].startswith(server.endpoint)
        async with session.get(url) as followed:
            assert await followed.read() == short_speech()
    assert (await download(api, recording, Range="bytes=100-299")).body == short_speech()[100:300]
    code, said = tapedeck(service, "blobs", "check")
    assert code == 0, said

    assert (await api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
    async with asyncio.timeout(60):
        while server.objects(bucket).keys() != {"tapes/owner"}:
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_a_service_moves_from_files_to_the_bucket(service, server, bucket, tmp_path):
    old = ServiceProcess(tmp_path / "old", in_files(tmp_path / "old"))
    try:
        recording = await (await old.start()).api().upload(slices(short_speech(), 3))
        assert old.stop() == 0
    finally:
        old.kill()
    code, said = await copy(old, service, "--last", "--read-back")
    assert (code, COMPLETE in said) == (0, True), said
    api = (await service.start()).api()
    assert (await api.finalize(recording, 3)).status == 200
    await api.ended(recording)
    assert (await download(api, recording)).body == short_speech()


@pytest.mark.slow
def test_a_bucket_that_is_not_there_stops_the_start_with_one_clear_line(service):
    service.settings["BLOB_URL"] = service.settings["BLOB_URL"].replace("/tapes?", "-none/tapes?")
    code, said = tapedeck(service, "serve")
    assert code == 1
    assert "there is no such bucket" in said.splitlines()[-1]
