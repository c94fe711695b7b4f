"""The servers that are compared: each is a process that the bench starts on a free loopback port and ends by pid."""

import asyncio
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import psutil

from tests.end_to_end.service_process import SAMPLE, START_SECONDS, ServiceProcess, slices
from tests.tools.free_ports import free_port
from tests.tools.previous_release import code_of

MOST_CHUNKS = 1_000_000

NGINX_CONFIGURATION = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; client_max_body_size 0; client_body_temp_path {folder}/incoming;
    proxy_temp_path {folder}/t1; fastcgi_temp_path {folder}/t2; uwsgi_temp_path {folder}/t3; scgi_temp_path {folder}/t4;
    keepalive_requests 1000000000;
    server {{
        listen 127.0.0.1:{port}; root {folder}/stored;
        location / {{ dav_methods PUT; create_full_put_path on; }}
    }}
}}
"""


class Server(ABC):
    """A server that takes bodies by PUT. `path`: what a client requests; `{part}` stands for the body's number.
    `paths`: several of these, one for each thread of the load."""

    name: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.port = free_port()

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    @property
    @abstractmethod
    def path(self) -> str: ...

    @property
    def paths(self) -> list[str]:
        return [self.path]

    @property
    @abstractmethod
    def pid(self) -> int: ...

    def forget_bodies(self) -> None:  # noqa: B027 - most have nothing to forget
        """Delete what was stored, between measurements, if it takes much space."""

    def memory_bytes(self) -> int:
        return psutil.Process(self.pid).memory_info().rss


class Tapedeck(Server):
    """`code_dir`: the repository whose code it runs; None: this one."""

    name = "tapedeck"
    code_dir: Path | None = None

    def __init__(self, folder: Path, settings: dict[str, str] | None = None, *, recordings: int = 1) -> None:
        super().__init__(folder)
        self._recordings = recordings
        self._settings = {"MAX_CHUNKS": str(MOST_CHUNKS), "UPLOAD_HOURS": "24", **(settings or {})}
        self._service: ServiceProcess | None = None
        self._paths: list[str] = []
        self._sent: list[dict[str, str]] = []

    @property
    def service(self) -> ServiceProcess:
        assert self._service is not None
        return self._service

    def start(self) -> None:
        self._service = ServiceProcess(self.folder / "data", self._settings)
        self._service.code_dir = self.code_dir
        self.port = self._service.port
        asyncio.run(self._begin())

    async def _begin(self) -> None:
        api = (await self.service.start()).api()
        recordings = [await api.create() for _ in range(self._recordings)]
        self._paths = [
            recording["chunk_upload_url_template"].removeprefix(self.service.url) for recording in recordings
        ]

    async def begin_transcribing(self, recordings: int) -> None:
        """Give the workers this many recordings to transcribe; returns when they have begun."""
        api = self.service.api()
        sent = [await api.upload(slices(SAMPLE.read_bytes(), 3), codec="opus") for _ in range(recordings)]
        for recording in sent:
            await api.finalize(recording, 3)
        async with asyncio.timeout(START_SECONDS):
            while "Stitched" not in await api.event_types(sent[0]):
                await asyncio.sleep(0.05)
        self._sent = sent

    async def is_transcribing(self) -> bool:
        """Whether the workers still have speech to transcribe."""
        return (await self.service.api().get(self._sent[-1]))["status"] == "processing"

    def stop(self) -> None:
        if self._service is not None:
            self._service.stop()

    def forget_bodies(self) -> None:
        self.stop()
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        self.start()

    @property
    def path(self) -> str:
        return self._paths[0]

    @property
    def paths(self) -> list[str]:
        return self._paths

    @property
    def pid(self) -> int:
        assert self.service.process is not None
        return self.service.process.pid


class Before(Tapedeck):
    """An earlier version of the service, with the libraries of this one. Raises: NoHistory."""

    name = "tapedeck before"

    def __init__(self, folder: Path, commit: str) -> None:
        super().__init__(folder)
        self.code_dir = code_of(commit, folder / "code")


class _Subprocess(Server):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]: ...

    def start(self) -> None:
        self._process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _wait_for(self.port)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_SECONDS)

    @property
    def path(self) -> str:
        return "/{part}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid


class Nginx(_Subprocess):
    name = "nginx, no fsync"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for name in ("stored", "incoming"):
            (folder / name).mkdir()

    def command(self) -> list[str]:
        configuration = self.folder / "nginx.conf"
        configuration.write_text(NGINX_CONFIGURATION.format(folder=self.folder, port=self.port))
        self.folder.chmod(0o755)
        return ["nginx", "-p", str(self.folder), "-c", str(configuration)]

    def forget_bodies(self) -> None:
        for path in (self.folder / "stored").iterdir():
            path.unlink()


class SyncingNginx(Nginx):
    """nginx does not fsync: its directories have the attribute that makes every write in them synchronous."""

    name = "nginx, synced"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for name in ("stored", "incoming"):
            subprocess.run(["chattr", "+S", str(folder / name)], check=True, capture_output=True)


class Discarding(_Subprocess):
    name = "discarding aiohttp"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.tools.bench.ingest.discarding", str(self.port)]


class Digesting(Discarding):
    name = "digesting aiohttp"

    def command(self) -> list[str]:
        return [*super().command(), "--digests"]


def has_nginx() -> bool:
    return shutil.which("nginx") is not None


def can_sync_nginx() -> bool:
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        tried = subprocess.run(["chattr", "+S", folder], check=False, capture_output=True)
        return tried.returncode == 0


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
