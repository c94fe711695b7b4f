"""A database and a bucket that are restored from different times: PostgreSQL's own dump, and a copy of the bucket."""

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys

import pytest

from service.application.blob_names import blob_prefix, recording_prefix
from service.dialects.bota.identifiers import recording_id_of
from tests.end_to_end.profile import tables_of
from tests.end_to_end.service_process import ServiceProcess, short_speech, slices
from tests.end_to_end.test_bucket import tapedeck
from tests.end_to_end.test_download import download, uploaded
from tests.end_to_end.worker_process import WorkerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

SMALL, LARGE = 20_000, 600_000
"""The first shares an object with others, the second has one of its own."""


class Backups:
    """Of either half, while the service is stopped. They are restored to where they were."""

    def __init__(self, service, postgres, s3, folder):
        self._database = service.settings["DATABASE_URL"]
        self._postgres = postgres
        self._bucket = s3.files_of(service.settings["BLOB_URL"])
        self._dump, self._copy = folder / "backup.dump", folder / "backup-bucket"

    def dump_database(self):
        self._run("pg_dump", "--format=custom", f"--file={self._dump}", self._database)

    def restore_database(self):
        self._postgres.empty_database(self._database)
        self._run("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={self._database}", str(self._dump))

    def copy_bucket(self):
        shutil.copytree(self._bucket, self._copy)

    def restore_bucket(self):
        shutil.rmtree(self._bucket)
        shutil.copytree(self._copy, self._bucket)

    def _run(self, program, *arguments):
        ran = subprocess.run(
            [self._postgres.programs / program, *arguments], capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stderr) == (0, "")


@pytest.fixture
def service(tmp_path, database, own_s3, s3_credentials):
    blob_url = f"{own_s3.new_bucket()}/tapes?endpoint={own_s3.endpoint}"
    service = ServiceProcess(tmp_path / "data", {"BLOB_URL": blob_url, "DATABASE_URL": database})
    yield service
    service.kill()


@pytest.fixture
def backups(service, postgres, own_s3, tmp_path):
    return Backups(service, postgres, own_s3, tmp_path)


def chunk_keys(recording, chunks):
    its_id = recording_id_of(recording["id"])
    return {
        blob_prefix(its_id, f"chunk-{number}") + hashlib.sha256(body).hexdigest() for number, body in chunks.items()
    }


def named(said, sentence):
    """The keys of which a command says this."""
    return {line.removesuffix(f" {sentence}") for line in said.splitlines() if line.endswith(f" {sentence}")}


def missing(said):
    return named(said, "is missing.")


def unknown(said):
    return named(said, "is stored, but the log does not refer to it.")


def back_again(said):
    return named(said, "is stored, though it was erased: its recording was deleted.")


def restore_bucket(s3, backups):
    s3.stop()
    backups.restore_bucket()
    s3.start()


async def until_gone(s3, service, *bodies):
    async with asyncio.timeout(120):
        while any(s3.contains(service.settings["BLOB_URL"], body[:1_000]) for body in bodies):
            await asyncio.sleep(0.05)


async def chunk(api, recording, number):
    return await api.call("GET", f"/v1/recordings/{recording['id']}/chunks/{number}")


async def test_a_database_that_is_older_than_the_bucket_has_again_all_that_it_refers_to(service, own_s3, backups):
    api = (await service.start()).api()
    spoken = slices(short_speech(), 3)
    whole = await uploaded(api, spoken)
    text = await api.transcript(whole)
    resumed = await api.upload(spoken[:2])
    bodies = {1: os.urandom(SMALL), 2: os.urandom(LARGE)}
    deleted = await api.upload(list(bodies.values()))
    assert service.stop() == 0
    backups.dump_database()

    api = (await service.start()).api()
    assert (await api.put(resumed, 3, spoken[2])).status == 200
    new_bodies = {1: os.urandom(SMALL), 2: os.urandom(LARGE)}
    unheard_of = await api.upload(list(new_bodies.values()))
    assert (await api.call("DELETE", f"/v1/recordings/{deleted['id']}")).status == 204
    await until_gone(own_s3, service, *bodies.values())  # and so their neighbours have moved
    assert service.stop() == 0
    backups.restore_database()

    since = chunk_keys(resumed, {3: spoken[2]}) | chunk_keys(unheard_of, new_bodies)
    code, said = tapedeck(service, "blobs", "check")
    assert (code, unknown(said)) == (1, since), said
    assert missing(said) >= chunk_keys(deleted, bodies)
    code, said = tapedeck(service, "blobs", "mend")
    assert code == 0, said
    assert "0 blobs were erased that the log says were erased before." in said
    code, said = tapedeck(service, "blobs", "check")
    assert (code, missing(said), unknown(said)) == (1, chunk_keys(deleted, bodies), since), said

    api = (await service.start()).api()
    assert (await download(api, whole)).body == short_speech()
    assert await api.transcript(whole) == text
    assert (await api.call("GET", f"/v1/recordings/{unheard_of['id']}")).status == 404
    assert (await api.put(resumed, 3, spoken[2])).status == 200
    assert (await api.finalize(resumed, 3)).status == 200
    assert (await api.ended(resumed))["status"] == "completed"
    assert (await download(api, resumed)).body == short_speech()
    assert (await chunk(api, deleted, 1)).status == 404
    assert (await api.call("DELETE", f"/v1/recordings/{deleted['id']}")).status == 204
    again = await uploaded(api, spoken)
    assert (await download(api, again)).body == short_speech()
    assert service.stop() == 0
    code, said = tapedeck(service, "blobs", "check")
    assert (code, unknown(said)) == (0, chunk_keys(unheard_of, new_bodies)), said


async def test_of_a_bucket_that_is_older_than_the_database_the_check_names_what_it_lacks_and_what_is_back_is_erased(
    service, own_s3, backups
):
    api = (await service.start()).api()
    spoken = slices(short_speech(), 3)
    whole = await uploaded(api, spoken)
    text = await api.transcript(whole)
    kept, bodies = ({1: os.urandom(SMALL), 2: os.urandom(LARGE)} for _ in range(2))
    beside, deleted = await api.upload(list(kept.values())), await api.upload(list(bodies.values()))
    assert service.stop() == 0
    backups.copy_bucket()

    api = (await service.start()).api()
    assert (await api.put(beside, 3, spoken[2])).status == 200
    done = await uploaded(api, spoken)
    assert (await api.call("DELETE", f"/v1/recordings/{deleted['id']}")).status == 204
    await until_gone(own_s3, service, *bodies.values())
    assert service.stop() == 0
    restore_bucket(own_s3, backups)
    assert all(own_s3.contains(service.settings["BLOB_URL"], body) for body in bodies.values())

    lacking = chunk_keys(beside, {3: spoken[2]}) | chunk_keys(done, dict(enumerate(spoken, 1)))
    made = {blob_prefix(recording_id_of(done["id"]), kind) for kind in ("audio", "transcript")}
    back = chunk_keys(deleted, bodies)
    code, said = tapedeck(service, "blobs", "check")
    assert (code, back_again(said)) == (1, back), said
    assert missing(said) >= lacking
    assert "2 of the stored blobs were erased before: `tapedeck blobs mend` erases them again." in said
    code, said = tapedeck(service, "blobs", "mend")
    assert (code, named(said, "was erased: its recording was deleted.")) == (0, back), said
    assert "2 blobs were erased that the log says were erased before." in said
    assert not any(own_s3.contains(service.settings["BLOB_URL"], body[:1_000]) for body in bodies.values())
    assert recording_prefix(recording_id_of(deleted["id"])).encode() not in tables_of(service, "bucket")
    code, said = tapedeck(service, "blobs", "check")
    assert (code, back_again(said)) == (1, set()), said
    assert {key[:-64] if key[:-64] in made else key for key in missing(said)} == lacking | made

    api = (await service.start()).api()
    assert (await download(api, whole)).body == short_speech()
    assert await api.transcript(whole) == text
    for number, body in kept.items():
        assert (await chunk(api, beside, number)).body == body
    assert (await chunk(api, beside, 3)).status == 404
    assert (await chunk(api, done, 1)).status == 410
    assert (await download(api, done)).status == 404
    assert (await api.call("GET", f"/v1/transcriptions/{(await api.get(done))['transcription_id']}")).status == 404
    assert (await api.call("DELETE", f"/v1/recordings/{done['id']}")).status == 204
    assert missing(tapedeck(service, "blobs", "check")[1]) == chunk_keys(beside, {3: spoken[2]})


async def test_what_an_older_bucket_lacks_is_stored_again_when_clients_send_it_again(service, own_s3, backups):
    api = (await service.start()).api()
    spoken = slices(short_speech(), 3)
    resumed = await api.upload(spoken[:2])
    assert service.stop() == 0
    backups.copy_bucket()

    api = (await service.start()).api()
    assert (await api.put(resumed, 3, spoken[2])).status == 200
    bodies = {1: os.urandom(SMALL), 2: os.urandom(LARGE)}
    random, unheard = await api.upload(list(bodies.values())), await api.upload(spoken)
    assert service.stop() == 0
    restore_bucket(own_s3, backups)

    assert tapedeck(service, "blobs", "mend")[0] == 0
    api = (await service.start()).api()
    assert (await api.finalize(unheard, 3)).status == 200  # which cannot be stitched before its chunks come again
    for number, body in bodies.items():
        assert (await chunk(api, random, number)).status == 404
        assert (await api.put(random, number, body)).status == 200
        assert (await chunk(api, random, number)).body == body
    assert (await api.put(resumed, 3, spoken[2])).status == 200
    assert (await api.finalize(resumed, 3)).status == 200
    for number, body in enumerate(spoken, 1):
        assert (await api.put(unheard, number, body)).status == 200
    for recording in (resumed, unheard):
        assert (await api.ended(recording))["status"] == "completed"
        assert (await download(api, recording)).body == short_speech()
    assert tapedeck(service, "blobs", "check")[0] == 0


async def test_mending_that_is_killed_is_finished_by_the_next(service, own_s3, backups):
    api = (await service.start()).api()
    bodies = {number: os.urandom(LARGE if number % 2 else SMALL) for number in range(1, 7)}
    kept, deleted = await api.upload([os.urandom(SMALL)]), await api.upload(list(bodies.values()))
    assert service.stop() == 0
    backups.copy_bucket()

    api = (await service.start()).api()
    later = await api.upload([os.urandom(SMALL)])  # in an object that the older bucket lacks
    assert (await api.call("DELETE", f"/v1/recordings/{deleted['id']}")).status == 204
    await until_gone(own_s3, service, *bodies.values())
    assert service.stop() == 0
    restore_bucket(own_s3, backups)

    command = [sys.executable, "-m", "service.cli", "blobs", "mend"]
    with subprocess.Popen(command, env=service.environment, stdout=subprocess.PIPE) as mending:
        assert b"is not in the bucket" in mending.stdout.readline()
        mending.kill()
    code, said = tapedeck(service, "blobs", "mend")
    assert code == 0, said
    assert not any(own_s3.contains(service.settings["BLOB_URL"], body[:1_000]) for body in bodies.values())
    assert recording_prefix(recording_id_of(deleted["id"])).encode() not in tables_of(service, "bucket")
    said = tapedeck(service, "blobs", "check")[1]
    assert (len(missing(said)), back_again(said), unknown(said)) == (1, set(), set()), said
    assert recording_prefix(recording_id_of(later["id"])) in said
    api = (await service.start()).api()
    assert (await chunk(api, kept, 1)).status == 200


async def test_while_a_worker_runs_elsewhere_nothing_is_mended(service, tmp_path):
    await service.start()
    worker = WorkerProcess(tmp_path / "elsewhere", service)
    try:
        await worker.start()
        assert service.stop() == 0
        code, said = tapedeck(service, "blobs", "mend")
        assert (code, "Another tapedeck is running on postgresql://" in said) == (1, True), said
    finally:
        worker.kill()
    assert tapedeck(service, "blobs", "mend")[0] == 0
