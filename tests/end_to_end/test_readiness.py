"""`/readyz` names the part that is missing, and says no only if recordings could not be stored."""

import asyncio
import shutil
from contextlib import contextmanager

import pytest

from adapters.speech.whisper_model import model_folder
from tests.end_to_end.service_process import API_PROCESSES, Api, ServiceProcess
from tests.tools.free_ports import free_port
from tests.tools.postgres.server import PASSWORD, PostgresServer

READY = {"state": "ready", "required": True}


async def readiness(service):
    return await Api(service.url, "", "").call("GET", "/readyz", key=False)


async def in_time(service):
    """The answer once each part has given its own in time, which on a busy machine it may not at first."""
    async with asyncio.timeout(120):
        while b"It gives no answer within" in (answer := await readiness(service)).body:
            await asyncio.sleep(0.05)
    return answer


async def until(service, part, state):
    """The answer once the part is said to be so."""
    async with asyncio.timeout(120):
        while (answer := await in_time(service)).json["parts"][part]["state"] != state:
            await asyncio.sleep(0.05)
    return answer


def missing(answer):
    return {name for name, part in answer.json["parts"].items() if part["state"] == "missing"}


async def test_every_part_is_named(service):
    answer = await in_time(service)
    assert (answer.status, answer.json["status"]) == (200, "ready")
    processes = ("api_processes",) if API_PROCESSES > 1 else ()
    needed = ("process", *processes, "event_log", "data_dir", "blob_store")
    assert answer.json["parts"] == dict.fromkeys(needed, READY) | {
        "speech_model": {"state": "ready", "required": False}
    }


@contextmanager
def away(server):
    server.stop()
    yield
    server.start()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("interruption", "because"),
    [
        (away, "The event log cannot be read."),
        (PostgresServer.stopped_in_its_tracks, "It gives no answer within 3 seconds."),
    ],
)
async def test_a_database_that_is_stopped_or_hangs_is_named_without_its_address(
    tmp_path, own_postgres, interruption, because
):
    service = ServiceProcess(tmp_path / "data", {"DATABASE_URL": own_postgres.new_database()})
    await service.start()
    try:
        with interruption(own_postgres):
            answer = await readiness(service)
            assert (answer.status, answer.json["reason"], missing(answer)) == (503, because, {"event_log"})
            assert answer.json["parts"]["event_log"] == {"state": "missing", "required": True, "because": because}
            shown = answer.body.decode()
            assert not any(told in shown for told in (str(own_postgres.port), "127.0.0.1", *PASSWORD.split()))
            assert 'tapedeck_part_ready{part="event_log"} 0.0' in await metrics(service)
        assert (await until(service, "event_log", "ready")).status == 200
    finally:
        service.kill()


async def metrics(service):
    return (await Api(service.url, "", "").call("GET", "/metrics", key=False)).body.decode()


async def test_without_kafka_it_is_named_and_recordings_are_stored_all_the_same(own_service):
    own_service.settings |= {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}
    await own_service.start()
    answer = await until(own_service, "kafka", "missing")
    assert (answer.status, answer.json["status"], missing(answer)) == (200, "ready", {"kafka"})
    assert answer.json["parts"]["kafka"] == {
        "state": "missing",
        "required": False,
        "because": "Events are not published: they wait in the event log. The service's log says why.",
    }
    api = own_service.api()
    assert (await api.put(await api.create(), 1, b"one")).status == 200


async def test_a_speech_model_that_is_gone_is_named_and_recordings_are_stored_all_the_same(own_service, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    for file in model_folder(None).iterdir():
        (model / file.name).symlink_to(file)
    own_service.settings |= {"TRANSCRIBER_MODEL": str(model)}
    await own_service.start()
    shutil.rmtree(model)
    answer = await in_time(own_service)
    assert (answer.status, missing(answer)) == (200, {"speech_model"})
    assert str(tmp_path) not in answer.body.decode()


async def test_with_an_endpoint_that_transcribes_there_is_no_model_to_look_for(own_service):
    own_service.settings |= {
        "TRANSCRIBER": "openai",
        "TRANSCRIBER_URL": f"http://127.0.0.1:{free_port()}",
        "TRANSCRIBER_MODEL": "any",
    }
    await own_service.start()
    assert "speech_model" not in (await readiness(own_service)).json["parts"]
