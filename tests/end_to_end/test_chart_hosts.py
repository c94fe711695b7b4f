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
from tests.end_to_end.rendered_chart import IN_SECRETS, SEVERAL, container_of, environment_of, pod_of
from tests.end_to_end.service_process import short_speech, slices
from tests.end_to_end.tapedeck_process import TapedeckProcess
from tests.tools.free_ports import free_port
from tests.tools.helm import objects
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


def host_of(rendered, number, secrets, folder):
    """The host in the pod of this number, which has taken its keys."""
    environment = environment_of(rendered, secrets, pod_name=f"tapedeck-{number}")
    assert CREDENTIALS.items() <= environment.items()
    settings = settings_of(environment)
    assert re.fullmatch(rf"http://tapedeck-{number}\.[a-z.-]+\.clinic\.svc:\d+", settings["PEER_URL"])
    assert settings["PUBLIC_URL"] == PUBLIC_URL
    host = HostProcess(folder / f"tapedeck-{number}", settings, DRAIN_SECONDS="0")
    assert settings.keys() <= host.settings.keys()
    return host


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
