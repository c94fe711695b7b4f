"""Hosts, a worker and a publisher as the chart renders them: as processes, they are one service.

With this machine's Python in place of the image's, folders in place of volumes, and addresses of this machine.
"""

import asyncio
import os
import re
import subprocess
import sys
from uuid import uuid4

import aiohttp
import pytest

from tests.end_to_end.host_process import PUBLIC_URL, SECRETS, HostProcess, api_of_a_project
from tests.end_to_end.publisher_process import assert_exactly_the_log, until_published
from tests.end_to_end.rendered_chart import IN_SECRETS, SEVERAL, WITH_TLS, container_of, environment_of, pod_of
from tests.end_to_end.service_process import short_speech, slices
from tests.end_to_end.tapedeck_process import TapedeckProcess
from tests.tools.free_ports import free_port
from tests.tools.helm import objects
from tests.tools.postgres.certificates import new_certificates
from tests.tools.s3.server import CREDENTIALS

SECONDS = 240
PUBLIC_NAME = PUBLIC_URL.removeprefix("https://")
STORED = {"settings": {"TAPEDECK_BLOB_URL": "s3://recordings"}, "secrets": IN_SECRETS}


@pytest.fixture
def secret(tmp_path):
    """The folder at which the Secret is mounted."""
    (folder := tmp_path / "secret").mkdir()
    for name in SECRETS:
        (folder / name).write_bytes(os.urandom(32))
        (folder / name).chmod(0o440)
    return folder


def take_secrets(rendered, folder, data_dir):
    """What runs in a host's pod before the host."""
    (first,) = pod_of(rendered)["initContainers"]
    (at,) = [each["mountPath"] for each in first["volumeMounts"] if each["name"] == "secrets"]
    assert first["workingDir"] == at
    assert [each["name"] for each in first["env"]] == ["TAPEDECK_DATA_DIR"]
    environment = {"PATH": os.environ["PATH"], "TAPEDECK_DATA_DIR": str(data_dir)}
    return subprocess.run(first["command"], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def kept(data_dir):
    return {path.name: path.read_bytes() for path in data_dir.iterdir()}


def test_a_host_s_pod_gets_the_keys_of_the_secret_once_for_its_user_alone(tmp_path, secret):
    rendered, data_dir = objects(STORED | {"hostSecret": "tapedeck-hosts"}), tmp_path / "volume/data"
    for _ in range(2):
        ran = take_secrets(rendered, secret, data_dir)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert kept(data_dir) == kept(secret)
        assert data_dir.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in data_dir.iterdir()} == {0o600}
    (volume,) = [each["secret"] for each in pod_of(rendered)["volumes"] if each["name"] == "secrets"]
    assert volume["secretName"] == "tapedeck-hosts"
    assert {each["key"] for each in volume["items"]} == {each["path"] for each in volume["items"]} == set(SECRETS)
    assert "secrets" not in {each["name"] for each in container_of(rendered)["volumeMounts"]}


def test_a_key_that_a_host_has_is_never_replaced_and_what_a_crash_left_is_made_whole(tmp_path, secret):
    rendered, data_dir = objects(STORED | {"hostSecret": "tapedeck-hosts"}), tmp_path / "data"
    data_dir.mkdir()
    (data_dir / f"{SECRETS[0]}.unfinished").write_bytes(b"half")
    (data_dir / SECRETS[1]).write_bytes(b"its own")
    ran = take_secrets(rendered, secret, data_dir)
    assert ran.returncode == 1
    its = data_dir / SECRETS[1]
    said = f"{its} is not the one in the Secret tapedeck-hosts, which must have the keys that this service began with."
    assert ran.stderr == f"{said}\n"
    assert (data_dir / SECRETS[0]).read_bytes() == (secret / SECRETS[0]).read_bytes()
    assert its.read_bytes() == b"its own"


class PodProcess(TapedeckProcess):
    """A worker's or a publisher's container."""

    def __init__(self, rendered, command, secrets, folder):
        self.operations_port = free_port()
        args = container_of(rendered, command)["args"]
        self._command = [str(self.operations_port) if each == "9464" else each for each in args]
        here = {"DATA_DIR": str(folder / command), "OPERATIONS_PORT": str(self.operations_port)}
        settings = settings_of(environment_of(rendered, secrets, command))
        self._settings = settings | here
        self.log_file = folder / f"{command}.log"

    def start(self):
        program, *arguments = self._command
        assert program == "tapedeck"
        self.launch((sys.executable, "-m", "service.cli", *arguments), self._settings)

    def said(self, message):
        assert self.process.poll() is None, self.log_file.read_text()[-3000:]
        return f'"message":"{message}"' in self.log_file.read_text()


async def told_operators(pod, path):
    async with aiohttp.ClientSession() as session, asyncio.timeout(SECONDS):
        while True:
            async with session.get(f"http://127.0.0.1:{pod.operations_port}{path}") as answer:
                if answer.ok:
                    return await answer.text()
            await asyncio.sleep(0.05)


async def until(holds):
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.05)


def settings_of(environment):
    return {
        name.removeprefix("TAPEDECK_"): value for name, value in environment.items() if name.startswith("TAPEDECK_")
    }


def host_of(rendered, number, secrets, folder, tls=None):
    """The host in the pod of this number, which has taken its keys. `tls`: where that Secret is mounted."""
    environment = environment_of(rendered, secrets, pod_name=f"tapedeck-{number}")
    assert CREDENTIALS.items() <= environment.items()
    settings = settings_of(environment)
    scheme = "http" if tls is None else "https"
    assert re.fullmatch(rf"{scheme}://tapedeck-{number}\.[a-z.-]+\.clinic\.svc:\d+", settings["PEER_URL"])
    assert settings["PUBLIC_URL"] == PUBLIC_URL
    host = HostProcess(folder / f"tapedeck-{number}", settings, DRAIN_SECONDS="0")
    assert settings.keys() <= host.settings.keys()
    host.settings["PEER_URL"] = f"{scheme}://127.0.0.1:{host.peer_port}"
    if tls is not None:
        (at,) = [each["mountPath"] for each in container_of(rendered)["volumeMounts"] if each["name"] == "host-tls"]
        host.settings |= {name: value.replace(at, str(tls)) for name, value in settings.items() if at in value}
    return host


def mounted(certificates, folder):
    """As the Secret for TLS is mounted."""
    folder.mkdir()
    (folder / "tls.crt").write_bytes(certificates.server)
    (folder / "tls.key").write_bytes(certificates.server_key)
    (folder / "ca.crt").write_bytes(certificates.authority)
    return folder


@pytest.fixture
def stores(database, own_s3, s3_credentials):
    """The URLs of an empty database and of an empty bucket."""
    return database, f"{own_s3.new_bucket()}/tapes?endpoint={own_s3.endpoint}"


@pytest.mark.slow
@pytest.mark.timeout(1_200)
async def test_two_hosts_a_worker_and_a_publisher_with_the_rendered_environments_are_one_service(
    tmp_path, secret, stores, kafka
):
    database, bucket = stores
    topic = f"test-{uuid4()}"
    values = SEVERAL | {
        "settings": {
            "TAPEDECK_BLOB_URL": bucket,
            "TAPEDECK_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "TAPEDECK_KAFKA_TOPIC": topic,
            "AWS_REGION": CREDENTIALS["AWS_REGION"],
        },
        "secrets": IN_SECRETS,
        "ingress": {"enabled": True, "host": PUBLIC_NAME},
    }
    rendered, secrets = objects(values), CREDENTIALS | {"TAPEDECK_DATABASE_URL": database}
    hosts = [host_of(rendered, number, secrets, tmp_path) for number in range(2)]
    others = [PodProcess(rendered, command, secrets, tmp_path) for command in ("work", "publish")]
    try:
        for host in hosts:
            assert take_secrets(rendered, secret, host.data_dir).returncode == 0
        await asyncio.gather(*(host.start() for host in hosts))
        for other in others:
            other.start()
        await until(lambda: others[0].said("working"))
        await until(lambda: any(host.leads for host in hosts))
        leads, stands_by = sorted(hosts, key=lambda host: not host.leads)
        assert (leads.leads, stands_by.leads) == (True, False)
        api = await api_of_a_project(stands_by)
        recording = await api.upload(slices(short_speech(), 3))
        assert (await api.at(leads).finalize(recording, 3)).status == 200
        assert (await api.ended(recording))["status"] == "completed"
        assert leads.stop() == 0
        await until(lambda: stands_by.leads)
        assert (await api.transcript(recording))["text"]
        await until_published(database, kafka.bootstrap_servers, topic)
        await assert_exactly_the_log(database, kafka.bootstrap_servers, topic)
        for other in others:
            assert await told_operators(other, "/readyz")
        assert "\ntapedeck_publisher_lag_events 0.0\n" in await told_operators(others[1], "/metrics")
        assert [process.stop() for process in (*others, stands_by)] == [0, 0, 0]
    finally:
        for process in (*hosts, *others):
            process.kill()


@pytest.mark.slow
@pytest.mark.timeout(1_200)
async def test_hosts_with_the_secret_for_tls_hand_requests_over_to_none_whose_authority_they_do_not_trust(
    tmp_path, secret, stores
):
    database, bucket = stores
    settings = {"TAPEDECK_BLOB_URL": bucket, "AWS_REGION": CREDENTIALS["AWS_REGION"]}
    ingress = {"enabled": True, "host": PUBLIC_NAME}
    rendered = objects(WITH_TLS | {"settings": settings, "secrets": IN_SECRETS, "ingress": ingress})
    secrets = CREDENTIALS | {"TAPEDECK_DATABASE_URL": database}
    same, other = (mounted(new_certificates(), tmp_path / name) for name in ("same", "other"))
    hosts = [host_of(rendered, number, secrets, tmp_path, tls) for number, tls in enumerate((same, same, other))]
    leads, trusts, does_not = hosts
    try:
        for host in hosts:
            assert take_secrets(rendered, secret, host.data_dir).returncode == 0
        await leads.start()
        await until(lambda: leads.leads)
        await asyncio.gather(trusts.start(), does_not.start())
        api = await api_of_a_project(trusts)
        recording = await api.upload(slices(short_speech(), 3))
        assert (await api.finalize(recording, 3)).status == 200
        refused = await api.at(does_not).call_once("GET", f"/v1/recordings/{recording['id']}")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert b"CERTIFICATE_VERIFY_FAILED" in does_not.log_file.read_bytes()
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get(f"http://127.0.0.1:{leads.peer_port}/healthz")
        assert (await api.at(leads).call("GET", f"/v1/recordings/{recording['id']}")).status == 200
        assert [host.stop() for host in (does_not, trusts, leads)] == [0, 0, 0]
    finally:
        for host in hosts:
            host.kill()
