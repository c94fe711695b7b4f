"""Three processes take chunks on one port: whichever a request meets, and whichever of them dies or hangs meanwhile."""

import asyncio
import hashlib
import os
import time
from dataclasses import dataclass, field
from secrets import token_hex
from signal import SIGSTOP

import aiohttp
import psutil
import pytest

from adapters.keys import KeyKind
from adapters.quotas import Quota
from service.runtime.processes.parent import REPORT_SECONDS
from tests.end_to_end.listening import listening_at
from tests.end_to_end.profile import key_store_of, quota_store_of
from tests.end_to_end.service_process import ServiceProcess, short_speech, slices

pytestmark = pytest.mark.slow

PROCESSES = 3
SETTINGS = {"API_PROCESSES": str(PROCESSES), "MAX_CHUNKS": "100000"}
CLIENTS = 8


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    service = ServiceProcess(tmp_path_factory.mktemp("processes") / "data", SETTINGS)
    asyncio.run(service.start())
    yield service
    assert service.stop() == 0


@pytest.fixture
def api(service):
    return service.api()


@dataclass
class Client:
    """Keeps its connection, and sends each chunk again until it is acknowledged."""

    recording: dict
    acknowledged: list[str] = field(default_factory=list)
    cut: int = 0

    async def run(self, has_ended):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
            while not has_ended():
                chunk = os.urandom(3_000)
                await self._send(session, chunk)
                self.acknowledged.append(hashlib.sha256(chunk).hexdigest())

    async def _send(self, session, chunk):
        url = self.recording["chunk_upload_url_template"].replace("{part}", str(len(self.acknowledged) + 1))
        async with asyncio.timeout(300):  # within which the service may start anew
            while True:
                try:
                    async with session.put(url, data=chunk) as answer:
                        assert answer.status in (200, 503), await answer.text()
                        if answer.status == 200:
                            return
                except aiohttp.ClientConnectionError:
                    self.cut += 1
                await asyncio.sleep(0.05)


async def chunks_of(api, recording):
    return [chunk["sha256"] for chunk in (await api.get(recording, "/chunks"))["data"]]


async def test_chunks_are_taken_by_every_process_and_seen_at_once_by_all(service, api):
    recording, sent = await api.create(), []
    for number in range(1, 31):  # each over a connection of its own, as are the questions
        chunk = os.urandom(2_000)
        assert (await api.put(recording, number, chunk)).status == 200
        sent.append(hashlib.sha256(chunk).hexdigest())
        assert await chunks_of(api, recording) == sent
    everything = (await api.call("GET", "/v1/recordings?limit=100")).json["data"]
    (listed,) = [each for each in everything if each["id"] == recording["id"]]
    assert listed["status"] == "streaming"
    took = {line["process"] for line in service.log_lines() if line.get("method") == "PUT"}
    assert len(took) > 1
    assert all(name.startswith("api-") for name in took)


async def test_a_listener_hears_each_chunk_once_whichever_process_took_it(api):
    recording = await api.create()
    async with listening_at(api, f"/v1/events?recording_id={recording['id']}") as heard:
        assert heard.status == 200
        for number in range(1, 31):
            assert (await api.put(recording, number, b"%d" % number)).status == 200
        told = [(await heard.next()).data["data"]["number"] for _ in range(30)]
    assert told == list(range(1, 31))


async def test_chunks_of_one_recording_at_once_are_all_taken(api):
    recording, bodies = await api.create(), [os.urandom(2_000) for _ in range(60)]

    async def put(number, body):
        while (answer := await api.put(recording, number, body)).status == 503:
            await asyncio.sleep(0.1)
        assert answer.status == 200

    await asyncio.gather(*(put(number, body) for number, body in enumerate(bodies, 1)))
    assert await chunks_of(api, recording) == [hashlib.sha256(body).hexdigest() for body in bodies]


async def test_finalize_at_once_over_many_connections_gives_one_answer_right_after_the_last_chunk(api):
    recording = await api.upload(slices(short_speech(), 3))
    answers = await asyncio.gather(*(api.finalize(recording, 3) for _ in range(12)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert (await api.event_types(recording)).count("FinalizeRequested") == 1
    assert (await api.ended(recording))["status"] == "completed"


async def test_what_is_named_by_a_key_is_done_once_whichever_process_is_asked(api):
    named = {"Idempotency-Key": token_hex(8)}
    asked = {"streaming": True, "end_user_id": "eu_own", "codec": "opus"}
    created = await asyncio.gather(
        *(api.call("POST", "/v1/recordings", body=asked, headers=named) for _ in range(12)),
        *(api.call("POST", "/v1/end-users", body={"name": "Ada"}, headers=named) for _ in range(12)),
    )
    assert [len({answer.json["id"] for answer in some}) for some in (created[:12], created[12:])] == [1, 1]


async def test_a_body_that_is_asked_for_is_sent_once_whatever_becomes_of_the_request(service, api):
    recording, chunk = await api.create(), os.urandom(2_000)
    for path, body, status in (
        (recording["chunk_upload_url_template"].replace("{part}", "1"), chunk, 200),
        (recording["chunk_upload_url_template"].replace("{part}", "0"), chunk, 400),
        (f"{service.url}/audio/storeChunk", chunk, 401),
        (f"{service.url}/v1/recordings", b"{}", 401),
    ):
        method = "POST" if path.endswith("recordings") else "PUT"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, path, data=body, expect100=True) as answer,
        ):
            assert answer.status == status, await answer.text()


async def test_a_project_gets_its_bytes_and_no_more(service):
    project_id = f"proj_{token_hex(8)}"
    quotas = quota_store_of(service)
    quotas.set_for(project_id, Quota.BYTES, 100_000)
    quotas.close()
    keys = key_store_of(service)
    api = service.api(keys.create(KeyKind.SECRET, project_id=project_id).token)
    keys.close()
    recording = await api.create()
    answers = await asyncio.gather(*(api.put(recording, number, os.urandom(10_000)) for number in range(1, 31)))
    assert [answer.status for answer in answers].count(200) == 11
    assert {answer.status for answer in answers} == {200, 507}


async def test_what_the_metrics_count_is_counted_over_all_processes_also_of_one_that_has_died(service, api):
    before, recording = await counted(api), await api.create()
    for number in range(1, 13):
        assert (await api.put(recording, number, os.urandom(1_000))).status == 200
    assert await counted(api) == before + 12_000
    died = service.api_processes()[0]
    died.kill()
    await replaced(service, died)
    assert await counted(api) == before + 12_000


async def counted(api):
    """The bytes of chunks, once every process has said how many it took: one that is late is not waited for."""
    while True:
        began = time.monotonic()
        lines = (await api.call("GET", "/metrics", key=False)).body.decode().splitlines()
        if time.monotonic() - began < REPORT_SECONDS:
            break
    (bota,) = [line for line in lines if line.startswith('tapedeck_chunk_bytes_total{dialect="bota"}')]
    return float(bota.split()[1])


async def replaced(service, gone):
    """Once as many processes as before serve, and the one that is gone is none of them."""
    async with asyncio.timeout(120):
        while len({process.pid for process in service.api_processes()} - {gone.pid}) < PROCESSES:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("fate", ["is killed", "hangs"])
async def test_under_load_a_process_that_dies_or_hangs_is_replaced_and_nothing_acknowledged_is_lost(service, api, fate):
    clients = [Client(await api.create()) for _ in range(CLIENTS)]
    over = asyncio.Event()
    running = asyncio.gather(*(client.run(over.is_set) for client in clients))
    async with asyncio.timeout(120):
        while not all(len(client.acknowledged) > 3 for client in clients):
            await asyncio.sleep(0.05)
        victim = service.api_processes()[0]
        its_clients = len(victim.net_connections("tcp"))
        if fate == "is killed":
            victim.kill()
        else:
            victim.send_signal(SIGSTOP)
        before = [len(client.acknowledged) for client in clients]
        await replaced(service, victim)
        while not all(len(client.acknowledged) > count + 3 for client, count in zip(clients, before, strict=True)):
            await asyncio.sleep(0.05)
    over.set()
    await running
    for client in clients:
        assert await chunks_of(api, client.recording) == client.acknowledged
    assert sum(client.cut > 0 for client in clients) <= its_clients


async def test_when_the_service_is_killed_its_processes_end_and_it_starts_again_at_once(tmp_path):
    service = ServiceProcess(tmp_path / "data", SETTINGS)
    api = (await service.start()).api()
    try:
        clients = [Client(await api.create()) for _ in range(CLIENTS)]
        over = asyncio.Event()
        running = asyncio.gather(*(client.run(over.is_set) for client in clients))
        for hung in (False, True):
            orphans = service.api_processes()
            if hung:
                orphans[0].send_signal(SIGSTOP)
            await service.restart()
            assert not [orphan for orphan in orphans if orphan.is_running() and orphan.status() != psutil.STATUS_ZOMBIE]
        over.set()
        await running
        for client in clients:
            assert client.acknowledged
            assert await chunks_of(api, client.recording) == client.acknowledged
        recording = await api.upload(slices(short_speech(), 3))
        assert (await api.finalize(recording, 3)).status == 200
        assert (await api.ended(recording))["status"] == "completed"
    finally:
        service.kill()


@pytest.mark.timeout(1_800)
async def test_with_postgresql_and_a_bucket_whatever_is_killed_nothing_acknowledged_is_lost(
    tmp_path, own_postgres, own_s3, s3_credentials
):
    stores = {
        "DATABASE_URL": f"{own_postgres.new_database()}?connect_timeout=2",
        "BLOB_URL": f"{own_s3.new_bucket()}/tapes?endpoint={own_s3.endpoint}",
    }
    service = ServiceProcess(tmp_path / "data", SETTINGS | stores)
    api = (await service.start()).api()
    try:
        clients = [Client(await api.create()) for _ in range(CLIENTS)]
        over = asyncio.Event()
        running = asyncio.gather(*(client.run(over.is_set) for client in clients))

        async def all_go_on():
            before = [len(client.acknowledged) for client in clients]
            async with asyncio.timeout(300):
                while not all(
                    len(client.acknowledged) > count + 2 for client, count in zip(clients, before, strict=True)
                ):
                    await asyncio.sleep(0.05)

        await all_go_on()
        service.api_processes()[0].kill()
        await all_go_on()
        own_postgres.kill()
        own_postgres.start()
        await all_go_on()
        own_s3.kill()
        own_s3.start()
        await all_go_on()
        await service.restart()
        await all_go_on()
        over.set()
        await running
        for client in clients:
            assert await chunks_of(api, client.recording) == client.acknowledged
        recording = await api.upload(slices(short_speech(), 3))
        assert (await api.finalize(recording, 3)).status == 200
        assert (await api.ended(recording))["status"] == "completed"
        assert (await api.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
        async with asyncio.timeout(60):
            while own_s3.contains(stores["BLOB_URL"], short_speech()[5_000:5_100]):
                await asyncio.sleep(0.05)
    finally:
        service.kill()


async def test_a_port_is_shared_with_no_other_service(service, tmp_path):
    other = ServiceProcess(tmp_path / "data", {"API_PROCESSES": "2", "PORT": str(service.port)})
    other.port = service.port
    process = other.launch(other.command, other.settings | {"DATA_DIR": str(other.data_dir)})
    assert await asyncio.to_thread(process.wait, 120) == 1
    assert f"port {service.port} of 127.0.0.1 is in use" in other.log_file.read_text()
    other.process = None
