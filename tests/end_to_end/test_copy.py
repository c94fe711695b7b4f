"""A service moves from its files to PostgreSQL and a bucket while it is used: nothing is lost, nothing done again."""

import asyncio
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import pytest

from adapters.event_log.opening import open_log
from tests.end_to_end.profile import in_files
from tests.end_to_end.publisher_process import until_published
from tests.end_to_end.service_process import Api, ServiceProcess, short_speech, slices
from tests.end_to_end.test_download import download
from tests.service.dialects.bota.webhook_receiver import Receiver
from tests.tools.kafka.reading import read_committed

SQLITE_HEADER_BYTES = 100
MOST_RECORDINGS = 40
COMPLETE = "The copy is complete. Start the service with these settings"


@pytest.fixture
async def receiver():
    receiver = await Receiver().start()
    yield receiver
    await receiver.stop()


@pytest.fixture
def old(tmp_path):
    """The service as it was: all of it in files, whichever profile the suite runs in."""
    old = ServiceProcess(tmp_path / "old", in_files(tmp_path / "old"))
    yield old
    old.kill()


@pytest.fixture
def new(tmp_path, database, s3, s3_credentials):
    """The service as it is to be: nothing of it is there."""
    new = ServiceProcess(
        tmp_path / "new", {"DATABASE_URL": database, "BLOB_URL": f"{s3.new_bucket()}/tapes?endpoint={s3.endpoint}"}
    )
    yield new
    new.kill()


def command(old, *options):
    return [sys.executable, "-m", "service.cli", "copy", "--from", str(old.data_dir), *options]


def environment(new):
    settings = {"DATA_DIR": str(new.data_dir), **new.settings}
    others = {name: value for name, value in os.environ.items() if not name.startswith("TAPEDECK_")}
    return others | {f"TAPEDECK_{name}": value for name, value in settings.items()}


async def copy(old, new, *options):
    """Gives the exit code and all that is said."""
    ran = await asyncio.to_thread(
        subprocess.run, command(old, *options), env=environment(new), capture_output=True, text=True, check=False
    )
    return ran.returncode, ran.stdout + ran.stderr


async def upload(api, chunks):
    recording = await api.upload(chunks)
    assert (await api.finalize(recording, len(chunks))).status == 200
    return recording


@asynccontextmanager
async def uploading(api, made):
    """A block during which recordings are made, one after another. They have no audio, so that they end quickly."""
    is_over = asyncio.Event()

    async def upload_all():
        while not is_over.is_set() and len(made) < MOST_RECORDINGS:
            made.append(await upload(api, [b"not audio", os.urandom(3_000), os.urandom(300_000)]))

    task = asyncio.create_task(upload_all())
    yield
    is_over.set()
    await task


def content_of(folder):
    """Digests of all that is in the files. Who only reads may change SQLite's counters of changes, and leave a
    write-ahead log with nothing in it."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm")):
        content = path.read_bytes()[SQLITE_HEADER_BYTES if path.suffix == ".sqlite3" else 0 :]
        if content or not path.name.endswith("-wal"):
            found[path.relative_to(folder)] = hashlib.sha256(content).hexdigest()
    return found


def events_of(service):
    log = open_log(service.log_url, must_exist=True)
    try:
        return log.recorder.select_notifications(0, 100_000)
    finally:
        log.close()


@pytest.mark.slow
async def test_a_service_moves_to_postgresql_and_a_bucket_while_it_is_used(old, new, receiver, s3):
    api = (await old.start()).api()
    hook = await api.call("POST", "/v1/webhooks", body={"url": receiver.url, "events": ["recording.created"]})
    assert hook.status == 201
    named = {"Idempotency-Key": "first-person"}
    person = await api.call("POST", "/v1/end-users", body={"name": "Ada"}, headers=named)
    spoken = await upload(api, slices(short_speech(), 3))
    made = [spoken]
    gone = os.urandom(70_000)
    async with uploading(api, made):
        assert (await copy(old, new))[0] == 0
        code, said = await copy(old, new, "--last")
        assert (code, said) == (1, f"Error: A tapedeck is running on {old.data_dir}: stop it before the last pass.\n")
        deleted = await upload(api, [gone])
        code, said = await copy(old, new)
        assert (code, "This was a pass." in said) == (0, True), said
        assert s3.contains(new.settings["BLOB_URL"], gone)
        assert (await api.call("DELETE", f"/v1/recordings/{deleted['id']}")).status == 204
    open_one = await api.upload([b"first"])
    before = {one["id"]: await api.ended(one) for one in made}
    words = await api.transcript(spoken)
    received = len(made) + 2
    await receiver.count(received)
    await until_delivered(api, hook.json)
    assert old.stop() == 0

    stored = content_of(old.data_dir)
    await last_pass(old, new)
    assert content_of(old.data_dir) == stored

    await new.start()
    api = Api(new.url, old.credentials["api_key"], old.credentials["end_user_id"])
    assert (new.data_dir / "followers.sqlite3.moved").exists()
    assert {one["id"]: await api.get(one) for one in made} == before
    assert await api.transcript(spoken) == words
    assert (await download(api, spoken)).body == short_speech()
    again = await api.call("POST", "/v1/end-users", body={"name": "Ada"}, headers=named)
    assert (again.status, again.json) == (person.status, person.json)
    assert [one["id"] for one in (await api.call("GET", "/v1/webhooks")).json["data"]] == [hook.json["id"]]
    assert (await api.put(at(new, old, open_one), 2, b"x")).status == 200
    assert (await api.finalize(open_one, 2)).status == 200
    await api.ended(open_one)
    last = await api.create()
    await receiver.count(received + 1)
    ids = [one.body["data"]["id"] for one in receiver.received]
    assert sorted(ids) == sorted([*before, deleted["id"], open_one["id"], last["id"]])
    for one in receiver.received:
        one.check_signature(hook.json["secret"])

    async with asyncio.timeout(60):
        while s3.contains(new.settings["BLOB_URL"], gone):
            await asyncio.sleep(0.05)


async def last_pass(old, new):
    code, said = await copy(old, new, "--last", "--read-back")
    assert (code, COMPLETE in said) == (0, True), said
    assert events_of(new) == events_of(old)


async def until_delivered(api, webhook):
    """Until the service knows what the receiver knows: a delivery under way when it ends is made once more."""
    async with asyncio.timeout(60):
        while True:
            listed = (await api.call("GET", f"/v1/webhooks/{webhook['id']}/deliveries?limit=100")).json
            if {one["status"] for one in listed["data"]} == {"delivered"}:
                return
            await asyncio.sleep(0.05)


def at(new, old, recording):
    """The recording, with its signed URL where the service is now."""
    template = recording["chunk_upload_url_template"]
    return recording | {"chunk_upload_url_template": template.replace(old.url, new.url)}


@pytest.mark.slow
async def test_what_a_project_uses_its_quotas_and_what_was_said_are_known_after_the_move(old, new):
    del new.settings["BLOB_URL"]
    api = (await old.start()).api()
    project_id = old.credentials["project_id"]
    assert "(of 2, set for this project)" in quotas(old, "set", project_id, "recordings", "2")
    spoken = await upload(api, slices(short_speech(), 3))
    words = await api.transcript(spoken)
    gone = await upload(api, [b"not audio"])
    assert (await api.call("DELETE", f"/v1/recordings/{gone['id']}")).status == 204
    assert await found(api, old, words["text"]) == [spoken["id"]]
    async with asyncio.timeout(60):
        while " 1 (of 2, set for this project)" not in (
            uses := await asyncio.to_thread(quotas, old, "show", project_id)
        ):
            pass
    assert old.stop() == 0
    assert (await copy(old, new, "--last"))[0] == 0
    assert not (new.data_dir / "search.sqlite3").exists()
    await new.start()
    assert quotas(new, "show", project_id) == uses
    assert {path.name for path in new.data_dir.glob("*.sqlite3*")} >= {"quotas.sqlite3.moved", "usage.sqlite3.moved"}
    assert list(new.data_dir.glob("*.sqlite3")) == []
    api = Api(new.url, old.credentials["api_key"], old.credentials["end_user_id"])
    assert await found(api, old, words["text"]) == [spoken["id"]]
    await api.create()
    refused = await api.call("POST", "/v1/recordings", body={"streaming": True, "end_user_id": "eu_1", "codec": "opus"})
    assert (refused.status, refused.error["quota"]) == (507, "recordings")


async def found(api, old, query):
    """The recordings with these words."""
    asked = {"query": query, "end_user_id": old.credentials["end_user_id"]}
    answer = await api.call("POST", "/v1/recordings/search", body=asked)
    assert answer.status == 200, answer
    return [one["recording_id"] for one in answer.json["results"]]


def quotas(service, *arguments):
    """What `tapedeck quotas` says."""
    ran = subprocess.run(
        [sys.executable, "-m", "service.cli", "quotas", *arguments],
        env=environment(service),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.slow
async def test_killed_at_random_moments_it_goes_on_and_in_the_end_all_is_there(old, new):
    chance = random.Random(18)
    api = (await old.start()).api()
    made = []
    async with uploading(api, made):
        began = time.monotonic()
        assert (await copy(old, new))[0] == 0
        whole = time.monotonic() - began
        for _ in range(3):
            await killed_within(old, new, chance.uniform(0.3, 1) * whole)
    for one in made:
        await api.ended(one)
    before = {one["id"]: await api.get(one) for one in made}
    assert old.stop() == 0
    refused = await asyncio.to_thread(
        subprocess.run, new.command, env=environment(new), capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "is a copy that is not complete: run `tapedeck copy --last` first." in refused.stderr
    for _ in range(3):
        await killed_within(old, new, chance.uniform(0.3, 1) * whole, "--last")
    await last_pass(old, new)
    await new.start()
    api = Api(new.url, old.credentials["api_key"], old.credentials["end_user_id"])
    assert {one["id"]: await api.get(one) for one in made} == before


async def killed_within(old, new, seconds, *options):
    process = subprocess.Popen(
        command(old, *options), env=environment(new), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with suppress(subprocess.TimeoutExpired):
        await asyncio.to_thread(process.wait, seconds)
    process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(process.wait)


@pytest.mark.slow
async def test_kafka_gets_every_event_once_across_the_move(old, new, kafka):
    topic = f"test-{uuid4()}"
    del new.settings["BLOB_URL"]
    for service in (old, new):
        service.settings |= {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "KAFKA_TOPIC": topic}
    api = (await old.start()).api()
    await api.ended(await upload(api, [b"not audio"]))
    await until_published(old.data_dir, kafka.bootstrap_servers, topic)
    await upload(api, [b"nor this"])
    assert old.stop() == 0
    assert (await copy(old, new, "--last"))[0] == 0
    await new.start()
    api = Api(new.url, old.credentials["api_key"], old.credentials["end_user_id"])
    await api.ended(await upload(api, [b"nor that"]))
    log = events_of(new)
    async with asyncio.timeout(60):
        while len(seen := await asyncio.to_thread(read_committed, kafka.bootstrap_servers, topic)) < len(log):
            await asyncio.sleep(0.05)
    assert sorted((one.log_position, one.id) for one in seen) == [
        (event.id, f"{event.originator_id}/{event.originator_version}") for event in log
    ]
