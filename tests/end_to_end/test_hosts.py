"""Several hosts of one service: whichever is asked, killed or hangs, the service is there and loses nothing."""

import asyncio
import hashlib
import os
from importlib.metadata import version

import aiohttp
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.host_process import SECRETS, HostProcess, api_of_a_project
from tests.end_to_end.service_process import short_speech, slices
from tests.tools.postgres.claims import end_claim

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]

CLIENTS = 4


@pytest.fixture
def stores(database, own_s3, s3_credentials):
    blob_url = f"{own_s3.new_bucket()}/tapes?endpoint={own_s3.endpoint}"
    return {"DATABASE_URL": database, "BLOB_URL": blob_url, "MAX_CHUNKS": "100000"}


@pytest.fixture
async def hosts(tmp_path, stores):
    """The first leads; the second stands by."""
    hosts = [HostProcess(tmp_path / f"host-{number}", stores) for number in range(2)]
    try:
        await hosts[0].start()
        hosts[1].take_secrets_of(hosts[0])
        await hosts[1].start()
        yield hosts
    finally:
        for host in hosts:
            host.kill()


async def until(holds):
    async with asyncio.timeout(300):
        while not holds():
            await asyncio.sleep(0.05)


class Client:
    """Sends each chunk again, to one host after another, until it is acknowledged."""

    def __init__(self, hosts, recording):
        self._hosts = hosts
        self.recording = recording
        self.acknowledged = []

    async def run(self, has_ended):
        while not has_ended():
            chunk = os.urandom(3_000)
            await self._send(chunk)
            self.acknowledged.append(hashlib.sha256(chunk).hexdigest())

    async def _send(self, chunk):
        url = self.recording["chunk_upload_url_template"].replace("{part}", str(len(self.acknowledged) + 1))
        asked = 0
        async with asyncio.timeout(300), aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=8)) as session:
            while True:
                host = self._hosts[(len(self.acknowledged) + asked) % len(self._hosts)]
                try:
                    async with session.put(host.signed(url), data=chunk) as answer:
                        assert answer.status in (200, 503), await answer.text()
                        if answer.status == 200:
                            return
                        assert answer.headers["Retry-After"]
                except (aiohttp.ClientConnectionError, TimeoutError):
                    pass
                asked += 1
                await asyncio.sleep(0.05)


async def chunks_of(api, recording):
    return [chunk["sha256"] for chunk in (await api.get(recording, "/chunks"))["data"]]


async def test_whichever_host_is_asked_answers_and_knows_what_any_of_them_has_answered(hosts):
    one = await api_of_a_project(hosts[0])
    other = one.at(hosts[1])
    recording = await other.create()
    for number, chunk in enumerate(slices(short_speech(), 4), 1):
        asked, elsewhere = (one, other) if number % 2 else (other, one)
        assert (await asked.put(recording, number, chunk)).status == 200
        assert len(await chunks_of(elsewhere, recording)) == number
    finalized = await other.finalize(recording, 4)
    assert finalized.status == 200
    assert (await one.finalize(recording, 4)).body == finalized.body
    assert (await other.ended(recording))["status"] == "completed"
    assert (await one.transcript(recording)) == (await other.transcript(recording))
    assert [host.leads for host in hosts] == [True, False]
    assert (await other.call("DELETE", f"/v1/recordings/{recording['id']}")).status == 204
    assert (await one.call("GET", f"/v1/recordings/{recording['id']}")).status == 404


async def told_operators(host, name):
    """The samples of this metric."""
    url = f"http://127.0.0.1:{host.settings['OPERATIONS_PORT']}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        families = text_string_to_metric_families(await answer.text())
    return [(sample.labels, sample.value) for family in families for sample in family.samples if sample.name == name]


async def test_the_metrics_of_each_host_say_whether_it_leads_and_which_version_it_is(hosts):
    assert [await told_operators(host, "tapedeck_leads") for host in hosts] == [[({}, 1.0)], [({}, 0.0)]]
    built = [await told_operators(host, "tapedeck_build_info") for host in hosts]
    assert built == [[({"version": version("tapedeck")}, 1.0)]] * 2


def furthest(stores):
    """The position in the log of the follower that has come furthest."""
    with psycopg.connect(stores["DATABASE_URL"]) as server:
        return server.execute("SELECT coalesce(max(position), 0) FROM tapedeck_followers.positions").fetchone()[0]


@pytest.mark.parametrize("fate", ["killed", "stopped", "hanging", "without its claim"])
async def test_when_the_host_that_leads_goes_another_leads_and_nothing_acknowledged_is_lost(hosts, stores, fate):
    one, other = hosts
    api = await api_of_a_project(one)
    clients = [Client(hosts, await api.create()) for _ in range(CLIENTS)]
    over = asyncio.Event()
    running = asyncio.gather(*(client.run(over.is_set) for client in clients))

    async def all_go_on():
        before = [len(client.acknowledged) for client in clients]
        await until(lambda: all(len(each.acknowledged) > had + 4 for each, had in zip(clients, before, strict=True)))

    await all_go_on()
    if fate == "hanging":
        with one.standing_still():
            await until(lambda: other.leads)
            await all_go_on()
        await until(lambda: not one.leads)
    elif fate == "without its claim":
        came_to = furthest(stores)
        assert came_to
        while not other.leads:
            end_claim(stores["DATABASE_URL"])
            await asyncio.sleep(0.1)
            assert furthest(stores) >= came_to
        await until(lambda: one.leads != other.leads)
        assert furthest(stores) >= came_to
    else:
        if fate == "killed":
            one.kill()
        else:
            assert one.stop() == 0
        await until(lambda: other.leads)
        await all_go_on()
        await one.start()
        assert not one.leads
    await all_go_on()
    over.set()
    await running
    for client in clients:
        for asked in (api, api.at(other)):
            assert await chunks_of(asked, client.recording) == client.acknowledged
    recording = await api.upload(slices(short_speech(), 3))
    assert (await api.finalize(recording, 3)).status == 200
    assert (await api.ended(recording))["status"] == "completed"
    assert (await api.event_types(recording)).count("Transcribed") == 1


async def test_a_host_without_the_service_s_secrets_is_told_which_and_does_not_start(hosts, stores, tmp_path):
    newcomer = HostProcess(tmp_path / "newcomer", stores)
    with pytest.raises(
        AssertionError, match=r"signing\.key is missing; copy signing\.key, webhooks\.key, answers\.key from"
    ):
        await newcomer.start()
    newcomer.take_secrets_of(hosts[0])
    (newcomer.data_dir / SECRETS[1]).write_bytes(bytes(32))
    with pytest.raises(AssertionError, match=r"webhooks\.key is not that of the service's other hosts; copy"):
        await newcomer.start()


async def test_who_is_no_host_is_told_nothing_at_the_hosts_port(hosts):
    asked = f"http://127.0.0.1:{hosts[0].peer_port}/v1/recordings"
    async with aiohttp.ClientSession() as session:
        for headers in ({}, {"X-Tapedeck-Host": "x" * 43, "X-Tapedeck-Handed-Over": "10.0.0.1"}):
            async with session.get(asked, headers=headers) as answer:
                assert answer.status == 403
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"http://127.0.0.1:{hosts[1].peer_port}/v1/recordings")


async def test_a_service_with_one_host_and_one_with_several_are_not_run_beside_each_other(hosts, stores, tmp_path):
    alone = HostProcess(tmp_path / "alone", stores)
    del alone.settings["PEER_URL"]
    with pytest.raises(AssertionError, match="Another tapedeck is running on postgresql://"):
        await alone.start()


async def test_a_host_beside_a_service_with_one_host_is_not_ready_until_that_has_ended(tmp_path, stores):
    alone, host = (HostProcess(tmp_path / name, stores) for name in ("alone", "host"))
    del alone.settings["PEER_URL"]
    try:
        await alone.start()
        host.take_secrets_of(alone)
        starting = asyncio.create_task(host.start())
        await until_not_ready(host, "No host leads at the moment")
        assert not starting.done()
        assert alone.stop() == 0
        await starting
        await until(lambda: host.leads)
    finally:
        alone.kill()
        host.kill()


async def until_not_ready(host, because):
    """Return once the host says so to operators."""
    async with asyncio.timeout(300), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{host.settings['OPERATIONS_PORT']}/readyz") as answer:
                    if because in await answer.text():
                        assert answer.status == 503
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.05)


async def test_two_hosts_that_start_at_once_on_an_empty_database_become_one_service(tmp_path, stores):
    hosts = [HostProcess(tmp_path / f"host-{number}", stores) for number in range(2)]
    started = await asyncio.gather(*(host.start() for host in hosts), return_exceptions=True)
    assert sum(isinstance(each, AssertionError) and "signing.key is missing" in str(each) for each in started) == 1
    leader = next(each for each in started if isinstance(each, HostProcess))
    late = next(host for host in hosts if host is not leader)
    late.take_secrets_of(leader)
    await late.start()
    api = await api_of_a_project(late)
    assert (await api.at(leader).create())["id"]
    for host in hosts:
        assert host.stop() == 0
