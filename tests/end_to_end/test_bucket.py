"""The service with its blobs in a bucket, as real processes: either of them is killed, held and started again."""

import asyncio
import hashlib
import os
import subprocess
import sys
from contextlib import contextmanager

import aiohttp
import psycopg
import pytest

from tests.end_to_end.service_process import ServiceProcess, short_speech, slices
from tests.end_to_end.test_download import download

WHOLE_LIFE = ["RecordingOpened", *["ChunkStored"] * 3, "FinalizeRequested", "Stitched", "Transcribed"]


@pytest.fixture
def blob_url(own_s3, s3_credentials):
    return f"{own_s3.new_bucket()}/tapes?endpoint={own_s3.endpoint}"


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def service(request, tmp_path, blob_url):
    """One whose log, and the index of its bucket, are in either kind of database."""
    in_a_file = f"sqlite:///{tmp_path}/data/tapedeck.sqlite3"
    url = in_a_file if request.param == "SQLite" else request.getfixturevalue("database")
    service = ServiceProcess(tmp_path / "data", {"BLOB_URL": blob_url, "DATABASE_URL": url})
    yield service
    service.kill()


class Index:
    """That of a service's bucket, while the service is stopped."""

    tables = ("blobs", "objects", "announced", "doomed", "about")

    def __init__(self, service):
        self._folder = service.data_dir / "bucket"
        self._database = service.settings["DATABASE_URL"]
        self._in_a_file = self._database.startswith("sqlite")

    def back_up(self):
        if self._in_a_file:
            (self._folder / "backup").write_bytes((self._folder / "index.sqlite3").read_bytes())
            return
        self._execute("CREATE SCHEMA backup")
        for table in self.tables:
            self._execute(f"CREATE TABLE backup.{table} AS TABLE tapedeck_bucket.{table}")

    def restore(self):
        self.lose()
        if self._in_a_file:
            (self._folder / "backup").rename(self._folder / "index.sqlite3")
            return
        for table in self.tables:
            self._execute(f"INSERT INTO tapedeck_bucket.{table} TABLE backup.{table}")

    def lose(self):
        if self._in_a_file:
            for path in self._folder.glob("index.sqlite3*"):
                path.unlink()
            return
        for table in self.tables:
            self._execute(f"TRUNCATE tapedeck_bucket.{table}")

    def _execute(self, statement):
        with psycopg.connect(self._database, autocommit=True) as connection:
            connection.execute(statement)


def tapedeck(service, *arguments):
    """A command beside the service or without it; gives its exit code and all that it says."""
    settings = {"TAPEDECK_DATA_DIR": str(service.data_dir)}
    settings |= {f"TAPEDECK_{name}": service.settings[name] for name in ("BLOB_URL", "DATABASE_URL")}
    ran = subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.slow
async def test_a_recording_goes_all_the_way_whichever_of_the_two_is_killed_and_is_deleted_to_the_last_byte(
    service, own_s3, blob_url
):
    api = (await service.start()).api()
    chunks = slices(short_speech(), 3)
    recording = await api.upload(chunks)
    assert own_s3.contains(blob_url, chunks[1])
    assert not (service.data_dir / "blobs").exists()
    await service.restart()
    own_s3.kill()
    own_s3.start()
    assert (await api.finalize(recording, 3)).status == 200
    await service.restart()
    text = (await api.transcript(recording))["text"]
    assert await api.event_types(recording) == WHOLE_LIFE
    assert (await download(api, recording)).body == short_speech()
    assert (await download(api, recording, Range="bytes=100-299")).body == short_speech()[100:300]
    assert tapedeck(service, "blobs", "check")[0] == 0

    assert (await api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
    sent = [chunk[5_000:5_100] for chunk in chunks]
    async with asyncio.timeout(60):
        while any(own_s3.contains(blob_url, part) for part in (*sent, text[:40].encode())):
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_whole_downloads_are_redirected_to_the_bucket_if_that_is_set_and_ranges_are_not(service):
    service.settings["DOWNLOAD_REDIRECT_SECONDS"] = "60"
    api = (await service.start()).api()
    recording = await api.upload(slices(short_speech(), 3))
    assert (await api.finalize(recording, 3)).status == 200
    await api.ended(recording)
    url = (await api.get(recording, "/download-url"))["download_url"]
    async with aiohttp.ClientSession() as session:
        async with session.get(url, allow_redirects=False) as redirected:
            assert (redirected.status, await redirected.read()) == (302, b"")
            assert "X-Amz-Expires=60" in redirected.headers["Location"]
            assert redirected.headers["Cache-Control"] == "no-store"
        async with session.get(url) as followed:
            assert await followed.read() == short_speech()
        for headers in ({"Range": "bytes=0-9"}, {"If-None-Match": '"other"'}):
            async with session.get(url, headers=headers, allow_redirects=False) as direct:
                assert short_speech().startswith(await direct.read())
                assert direct.status in (200, 206)
        async with session.head(url, allow_redirects=False) as head:
            assert (head.status, head.headers["Content-Length"]) == (200, str(len(short_speech())))


async def put(api, recording, number, chunk):
    """As a client does: again while the service is not able to."""
    while (answer := await api.put(recording, number, chunk)).status == 503:
        await asyncio.sleep(0.1)
    assert answer.status == 200


@contextmanager
def killed(server):
    server.kill()
    yield
    server.start()


@contextmanager
def hanging(server):
    server.hold()
    yield
    server.go_on()


@pytest.mark.slow
@pytest.mark.parametrize("interruption", [killed, hanging])
async def test_while_the_bucket_is_away_uploads_get_a_503_and_afterwards_all_that_was_acknowledged_is_there(
    service, own_s3, interruption
):
    service.settings["BLOB_URL"] += "&seconds=2"
    api = (await service.start()).api()
    recording = await api.create()
    chunks = [os.urandom(size) for size in (1, 70_000, 600_000)]
    await put(api, recording, 1, chunks[0])
    with interruption(own_s3):
        for number in (2, 3):
            refused = await api.put(recording, number, chunks[number - 1])
            assert refused.status == 503
            assert refused.headers["Retry-After"]
        ready = await api.call("GET", "/readyz", key=False)
        assert (ready.status, ready.json["parts"]["blob_store"]["state"]) == (503, "missing")
    for number in (2, 3):
        await put(api, recording, number, chunks[number - 1])
    found = (await api.get(recording, "/chunks"))["data"]
    assert [chunk["sha256"] for chunk in found] == [hashlib.sha256(chunk).hexdigest() for chunk in chunks]
    code, said = tapedeck(service, "blobs", "check")
    assert code == 0, said
    assert "3 blobs of the log were read, 670,001 bytes" in said


@pytest.mark.slow
async def test_whenever_the_service_is_killed_all_that_it_has_acknowledged_can_be_read_afterwards(service, own_s3):
    api = (await service.start()).api()
    recording = await api.create()
    acknowledged = {}
    for turn in range(4):

        async def send(number):
            body = os.urandom(300_000 if number % 7 == 0 else 20_000)
            if (await api.put(recording, number, body)).status == 200:
                acknowledged[number] = hashlib.sha256(body).hexdigest()

        numbers = range(turn * 40 + 1, turn * 40 + 41)
        sending = [asyncio.create_task(send(number)) for number in numbers]
        while sum(task.done() for task in sending) < 5 + 7 * turn:
            await asyncio.sleep(0)
        await service.restart()
        await asyncio.gather(*sending, return_exceptions=True)
    found = {chunk["number"]: chunk["sha256"] for chunk in (await api.get(recording, "/chunks?limit=200"))["data"]}
    assert acknowledged.items() <= found.items()
    assert tapedeck(service, "blobs", "check")[0] == 0


@pytest.mark.slow
async def test_an_index_from_a_backup_has_after_its_start_what_was_stored_since_in_the_bucket(service):
    api = (await service.start()).api()
    recording = await api.upload([os.urandom(20_000) for _ in range(3)])
    assert service.stop() == 0
    index = Index(service)
    index.back_up()
    await service.start()
    for number in (4, 5):
        assert (await api.put(recording, number, os.urandom(20_000))).status == 200
    assert service.stop() == 0
    index.restore()

    code, said = tapedeck(service, "blobs", "check")
    assert code == 1, said
    assert "is in the bucket, but not in the index" in said
    assert said.count("is missing.") == 2
    code, said = tapedeck(service, "blobs", "mend")
    assert (code, "it has 1 blobs that were nowhere else" in said) == (0, True), said
    code, said = tapedeck(service, "blobs", "check")
    assert (code, "5 blobs of the log were read, 100,000 bytes; 0 more are stored." in said) == (0, True), said
    assert "shared            5 blobs  live         100,000" in tapedeck(service, "blobs", "usage")[1]


@pytest.mark.slow
async def test_a_lost_index_stops_the_start_and_is_made_anew_by_taking_the_bucket_over(service):
    api = (await service.start()).api()
    recording = await api.upload(slices(short_speech(), 3))
    assert "Another tapedeck is running" in tapedeck(service, "blobs", "mend")[1]
    assert service.stop() == 0
    Index(service).lose()
    code, said = tapedeck(service, "serve")
    assert code == 1
    owned_by = "data directory" if service.settings["DATABASE_URL"].startswith("sqlite") else "database"
    assert f"belongs to another {owned_by}; if that is gone, `tapedeck blobs mend --take-over`" in said
    assert tapedeck(service, "blobs", "check")[0] == 1
    assert tapedeck(service, "blobs", "mend")[0] == 1
    assert tapedeck(service, "blobs", "mend", "--take-over")[0] == 0
    await service.start()
    assert (await api.finalize(recording, 3)).status == 200
    assert (await api.ended(recording))["status"] == "completed"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("tapes?", "tapes?fast=1&"), "must be without 'fast'"),
        (("tapes?", "tapes?folder=/tmp&"), "must be without 'folder'"),
        (("/tapes?", "-none/tapes?"), "there is no such bucket"),
        (("tapes?", "tapes?seconds=0&"), "must have seconds between"),
    ],
)
def test_what_cannot_work_stops_the_start_with_one_clear_line(service, change, said):
    service.settings["BLOB_URL"] = service.settings["BLOB_URL"].replace(*change)
    code, line = tapedeck(service, "serve")
    assert code == 1
    assert said in line.splitlines()[-1]


@pytest.mark.slow
def test_credentials_that_are_refused_stop_the_start_with_one_clear_line_that_is_without_them(service, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a wrong secret")
    code, said = tapedeck(service, "serve")
    assert code == 1
    assert "refuses these credentials" in said.splitlines()[-1]
    assert "wrong secret" not in said


@pytest.mark.slow
@pytest.mark.parametrize("service", ["PostgreSQL"], indirect=True)
async def test_beside_a_service_no_other_data_directory_of_its_database_takes_the_bucket_over(service, tmp_path):
    await service.start()
    elsewhere = ServiceProcess(tmp_path / "elsewhere", service.settings)
    code, said = tapedeck(elsewhere, "blobs", "mend", "--take-over")
    assert (code, "Another tapedeck is running on postgresql://" in said) == (1, True), said
    assert tapedeck(elsewhere, "blobs", "check")[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("service", ["PostgreSQL"], indirect=True)
async def test_another_data_directory_of_the_same_database_goes_on_with_the_bucket(service, tmp_path):
    api = (await service.start()).api()
    await api.upload(slices(short_speech(), 3))
    service.kill()
    elsewhere = ServiceProcess(tmp_path / "elsewhere", service.settings)
    try:
        await elsewhere.start()
        code, said = tapedeck(elsewhere, "blobs", "check")
        assert (code, "3 blobs of the log were read" in said) == (0, True), said
        assert list((elsewhere.data_dir / "bucket").glob("index*")) == []
    finally:
        elsewhere.kill()
