"""One of several hosts of a service, as a process that tests can kill, stop and start again."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP

from adapters.keys import KeyKind
from tests.end_to_end.profile import key_store_of
from tests.end_to_end.service_process import Api, ServiceProcess
from tests.tools.free_ports import free_port

PUBLIC_URL = "https://tapedeck.example"
SECRETS = ("signing.key", "webhooks.key", "answers.key")


class HostProcess(ServiceProcess):
    """`stores`: the settings that say where log and blobs are."""

    def __init__(self, data_dir: Path, stores: dict[str, str], **more: str) -> None:
        self._said_before = 0
        self.peer_port = free_port()
        its_own = {
            "PEER_URL": f"http://127.0.0.1:{self.peer_port}",
            "PUBLIC_URL": PUBLIC_URL,
            "OPERATIONS_PORT": str(free_port()),
            "WEBHOOK_PRIVATE_ADDRESSES": "true",
        }
        super().__init__(data_dir, stores | its_own | more)

    def take_secrets_of(self, other: "HostProcess") -> None:
        """As an operator copies them to a new host."""
        self.data_dir.mkdir(mode=0o700, exist_ok=True)
        for name in SECRETS:
            shutil.copy(other.data_dir / name, self.data_dir / name)

    async def start(self) -> "HostProcess":
        """As a service; it is also ready if another host leads."""
        self._said_before = len(self._said) if self.log_file.exists() else 0
        await super().start()
        return self

    @property
    def leads(self) -> bool:
        """By its log, since it was started."""
        said = self._said[self._said_before :]
        return said.rfind(b'"message":"leads"') > said.rfind(b'"message":"does not lead any more"')

    @property
    def _said(self) -> bytes:
        return self.log_file.read_bytes()

    def signed(self, url: str) -> str:
        """Where a URL that was signed for the public address is reached at this host."""
        return url.replace(PUBLIC_URL, self.url)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """A block in which all its processes are stopped, as on a machine that hangs."""
        whole = self.processes()
        for each in whole:
            each.send_signal(SIGSTOP)
        try:
            yield
        finally:
            for each in whole:
                if each.is_running():
                    each.send_signal(SIGCONT)


async def api_of_a_project(host: HostProcess) -> "HostApi":
    """With a new key and a new end user."""
    keys = key_store_of(host)
    key = keys.create(KeyKind.SECRET, project_id="proj_hosts")
    keys.close()
    made = await Api(host.url, key.token, "").call("POST", "/v1/end-users", body={})
    assert made.status == 201, made
    return HostApi(host, key.token, made.json["id"])


class HostApi(Api):
    """Calls one host, whatever address the service's answers name."""

    def __init__(self, host: HostProcess, token: str, end_user_id: str) -> None:
        super().__init__(host.url, token, end_user_id)
        self.host = host
        self.facts = token, end_user_id

    def at(self, host: HostProcess) -> "HostApi":
        """The same caller at another host."""
        return HostApi(host, *self.facts)

    async def call_once(self, method, path, *, body=None, headers=None, key=True):
        return await super().call_once(method, self.host.signed(path), body=body, headers=headers, key=key)
