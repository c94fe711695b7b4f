"""Nothing acknowledged is ever lost: the real process is killed with SIGKILL and started again."""

import asyncio
import hashlib
import os
import random
import shutil
import socket
from contextlib import suppress

import aiohttp
import psutil
import pytest

from tests.end_to_end.dorsum_client import Dorsum
from tests.end_to_end.profile import backed_up_log, embedded_only
from tests.end_to_end.service_process import ServiceProcess, short_speech, slices

WHOLE_LIFE = ["RecordingOpened", *["ChunkStored"] * 3, "FinalizeRequested", "Stitched", "Transcribed"]


@pytest.mark.slow
async def test_killed_right_after_a_chunks_200_the_chunk_is_there(own_service):
    api = (await own_service.start()).api()
    recording = await api.create()
    chunks = [os.urandom(size) for size in (1, 70_000, 3_000_000)]
    for number, chunk in enumerate(chunks, 1):
        assert (await api.put(recording, number, chunk)).status == 200
        await own_service.restart()
    found = (await api.get(recording, "/chunks"))["data"]
    assert [chunk["sha256"] for chunk in found] == [hashlib.sha256(chunk).hexdigest() for chunk in chunks]


@pytest.mark.slow
async def test_killed_right_after_finalizes_200_it_is_processed_by_itself(own_service):
    api = (await own_service.start()).api()
    recording = await api.upload(slices(short_speech(), 3))
    assert (await api.finalize(recording, 3)).status == 200
    await own_service.restart()
    assert (await api.ended(recording))["status"] == "completed"
    assert await api.event_types(recording) == WHOLE_LIFE


async def reached(api, recording, event_type):
    async with asyncio.timeout(300):
        while event_type not in await api.event_types(recording):
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_killed_during_stitching_it_is_stitched_once(own_service):
    api = (await own_service.start()).api()
    recording = await api.upload(slices(short_speech(), 3))
    assert (await api.finalize(recording, 3)).status == 200
    async with asyncio.timeout(300):
        while not own_service.workers():
            await asyncio.sleep(0.01)
    await own_service.restart()
    assert (await api.ended(recording))["status"] == "completed"
    assert await api.event_types(recording) == WHOLE_LIFE


@pytest.mark.slow
async def test_killed_during_transcription_it_is_transcribed_once(own_service):
    api = (await own_service.start()).api()
    recording = await api.upload(slices(short_speech(), 3))
    assert (await api.finalize(recording, 3)).status == 200
    await reached(api, recording, "Stitched")
    await own_service.restart()
    assert (await api.ended(recording))["status"] == "completed"
    assert await api.event_types(recording) == WHOLE_LIFE


@pytest.mark.slow
async def test_no_worker_outlives_a_killed_service(own_service):
    api = (await own_service.start()).api()
    recording = await api.upload(slices(short_speech(), 3))
    assert (await api.finalize(recording, 3)).status == 200
    await reached(api, recording, "Stitched")
    workers = own_service.workers()
    assert workers
    own_service.kill()
    _, alive = await asyncio.to_thread(psutil.wait_procs, workers, 30)
    assert alive == []


@pytest.mark.slow
async def test_a_killed_worker_costs_an_attempt_and_not_the_recording(own_service):
    api = (await own_service.start()).api()
    recording = await api.upload(slices(short_speech(), 3))
    assert (await api.finalize(recording, 3)).status == 200
    await reached(api, recording, "Stitched")
    for worker in own_service.workers():
        with suppress(psutil.NoSuchProcess):  # one that has ended by itself
            worker.kill()
    assert (await api.ended(recording))["status"] == "completed"
    assert await api.event_types(recording) == WHOLE_LIFE


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_killed_at_random_moments_under_load_everything_acknowledged_is_there(own_service, seed):
    """Clients go on through every kill; what any of them got a 200 for must be there at the end, and nothing else."""
    chance = random.Random(seed)
    api = (await own_service.start()).api()
    recordings = [await api.create() for _ in range(6)]
    acknowledged = {}
    done = asyncio.Event()

    async def upload(session, recording):
        for number in range(1, 31):
            body = random.Random(f"{seed} {recording['id']} {number}").randbytes(20_000)
            url = aiohttp.client.URL(
                recording["chunk_upload_url_template"].replace("{part}", str(number)), encoded=True
            )
            while True:
                try:
                    async with session.put(url, data=body) as answer:
                        assert answer.status == 200
                        acknowledged[recording["id"], number] = hashlib.sha256(body).hexdigest()
                        break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.01)

    async def kill():
        kills = 0
        while not (done.is_set() and kills):
            await asyncio.sleep(chance.uniform(0.02, 0.3))
            await own_service.restart()
            kills += 1

    killing = asyncio.create_task(kill())
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(upload(session, recording) for recording in recordings))
    done.set()
    await killing
    stored = {
        (recording["id"], chunk["number"]): chunk["sha256"]
        for recording in recordings
        for chunk in (await api.get(recording, "/chunks"))["data"]
    }
    assert stored == acknowledged
    for recording in recordings:
        assert (await api.event_types(recording)).count("ChunkStored") == 30


async def test_a_second_service_on_the_same_data_is_refused_in_one_line(own_service):
    await own_service.start()
    assert "Another tapedeck is running" in await refused_start(own_service)


async def refused_start(own_service, **settings):
    """The one line that a start with these settings ends with."""
    all_settings = own_service.settings | settings
    environment = own_service.environment | {f"TAPEDECK_{name}": value for name, value in all_settings.items()}
    process = await asyncio.create_subprocess_exec(
        *own_service.command, env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, stderr = await process.communicate()
    assert process.returncode == 1
    lines = [line for line in stderr.decode().splitlines() if not line.startswith('{"at":')]
    assert len(lines) == 1, stderr.decode()
    return lines[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "0"),
        ("TRANSCRIBER", "magic"),
        ("BLOB_URL", "ftp://x"),
        ("PUBLIC_URL", "here"),
        ("MAX_CHUNKS", "0"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka://broker"),
    ],
)
async def test_a_bad_setting_stops_the_start_with_one_clear_line(own_service, name, value):
    assert f"TAPEDECK_{name} is '{value}'" in await refused_start(own_service, **{name: value})
    assert not own_service.data_dir.exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"HOST": "0.0.0.0"}, "needs TAPEDECK_PUBLIC_URL"),
        ({"LANGUAGE": "de"}, "does not understand 'de'"),
        ({"BLOB_URL": "file:///tmp/x?y"}, "needs file:///absolute/path"),
        ({"BLOB_URL": "file:///proc/blobs"}, "The blob storage cannot be used"),
        ({"DATABASE_URL": "sqlite:////proc/log.sqlite3"}, "cannot start"),
        ({"DATABASE_URL": "postgresql://127.0.0.1:1/none"}, "The database cannot be claimed"),
        ({"TLS_CERT": "/no/such/file", "TLS_KEY": "/no/such/file"}, "No such file"),
    ],
)
async def test_what_cannot_work_stops_the_start_with_one_clear_line(own_service, settings, said):
    assert said in await refused_start(own_service, **settings)


@pytest.mark.parametrize("setting", ["PORT", "OPERATIONS_PORT"])
async def test_a_port_in_use_stops_the_start_and_the_line_names_it_and_its_setting(own_service, setting):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = await refused_start(own_service, **{"PORT": str(own_service.port), setting: str(port)})
    assert said == (
        f"Error: The service cannot start: port {port} of 127.0.0.1 is in use; stop the program that listens there, "
        f"or set TAPEDECK_{setting} to another port."
    )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A data directory as a service leaves it that was started and stopped."""
    service = ServiceProcess(tmp_path_factory.mktemp("stopped") / "data")
    asyncio.run(service.start())
    service.stop()
    return service.data_dir


a_file = embedded_only("it is a table in PostgreSQL; above, a database that cannot be used stops the start likewise")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        pytest.param("tapedeck.sqlite3", "not a database", marks=a_file),
        pytest.param("keys.sqlite3", "not a database", marks=a_file),
        ("signing.key", "not a signing key"),
        ("webhooks.key", "not a key for webhooks' secrets"),
        pytest.param("directory.sqlite3", "not a database", marks=a_file),
        pytest.param("answers.sqlite3", "not a database", marks=a_file),
        ("answers.key", "not a key for kept answers"),
        ("dev-issuer.pem", "not a P-256 key"),
        ("dev-credentials.json", "cannot be read as JSON"),
    ],
)
@pytest.mark.slow
async def test_a_damaged_file_stops_the_start_with_one_clear_line(own_service, data_dir, file, said):
    shutil.copytree(data_dir, own_service.data_dir)
    for path in own_service.data_dir.glob(f"{file}-*"):
        path.unlink()
    (own_service.data_dir / file).write_bytes(b"damaged " * 1000)
    assert said in await refused_start(own_service)


@pytest.mark.parametrize("entry", [b'{"bota":{}}', b'{"dragon":{"client_id":7}}', b'{"dragon":"one"}', b"[]"])
@pytest.mark.slow
async def test_development_credentials_that_lack_something_are_completed_or_stop_the_start_with_one_clear_line(
    own_service, entry
):
    (own_service.data_dir).mkdir(parents=True, exist_ok=True)
    (own_service.data_dir / "dev-credentials.json").write_bytes(entry)
    if entry == b'{"bota":{}}':
        await own_service.start()
    else:
        assert "dev-credentials.json" in await refused_start(own_service)


@pytest.mark.slow
async def test_off_loopback_the_development_credentials_are_void_and_gone(own_service):
    await own_service.start()
    api, dorsum = own_service.api(), Dorsum.of(own_service)
    await api.create()
    assert (await dorsum.state()).status == 404
    own_service.stop()
    own_service.settings |= {"HOST": "0.0.0.0", "PUBLIC_URL": own_service.url}
    await own_service.start()
    assert (await dorsum.state()).status == 401
    answer = await api.call("POST", "/v1/recordings", body={"streaming": True})
    assert answer.status == 401
    assert not (own_service.data_dir / "dev-credentials.json").exists()


@pytest.mark.slow
async def test_a_log_restored_from_a_backup_is_followed_from_its_beginning(own_service):
    api = (await own_service.start()).api()
    kept = await api.upload(slices(short_speech(), 3))
    own_service.stop()
    restore_log = backed_up_log(own_service)
    await own_service.start()
    for _ in range(5):
        await api.create()
    own_service.stop()
    restore_log()
    await own_service.start()
    assert (await api.get(kept))["status"] == "streaming"
    assert (await api.finalize(kept, 3)).status == 200
    assert (await api.ended(kept))["status"] == "completed"


@pytest.mark.slow
async def test_an_address_that_is_taken_stops_the_start_with_one_clear_line(own_service, tmp_path):
    await own_service.start()
    said = await refused_start(ServiceProcess(tmp_path / "other"), PORT=str(own_service.port))
    assert f"port {own_service.port} of 127.0.0.1 is in use" in said
