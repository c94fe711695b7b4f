"""`tapedeck work` as a process that tests can kill, stop and start again."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals

import aiohttp
import psutil

from tests.end_to_end.service_process import START_SECONDS, ServiceProcess
from tests.end_to_end.tapedeck_process import TapedeckProcess
from tests.tools.free_ports import free_port

_SHARED = ("DATABASE_URL", "BLOB_URL", "TRANSCRIBER")
"""How the names of settings begin that a worker has as its service has them."""


class WorkerProcess(TapedeckProcess):
    """Works for a service, with a data directory of its own."""

    def __init__(self, data_dir: Path, service: ServiceProcess) -> None:
        self.port = free_port()
        shared = {name: value for name, value in service.settings.items() if name.startswith(_SHARED)}
        its_own = {"DATA_DIR": str(data_dir), "OPERATIONS_PORT": str(self.port), "WORKERS": "1"}
        self._settings = shared | its_own
        self.log_file = data_dir.parent / f"{data_dir.name}.log"

    async def start(self) -> "WorkerProcess":
        """Start it and wait until it says that it is ready."""
        process = self.launch((sys.executable, "-m", "service.cli", "work"), self._settings)
        async with asyncio.timeout(START_SECONDS):
            while await self.asked("/readyz") is None:
                assert process.poll() is None, f"the worker ended: {self.log_file.read_text()[-3000:]}"
                await asyncio.sleep(0.02)
        return self

    async def asked(self, path: str) -> str | None:
        """What it answers operators; None if it does not, or with an error."""
        async with aiohttp.ClientSession() as session:
            with suppress(aiohttp.ClientConnectionError):
                async with session.get(f"http://127.0.0.1:{self.port}{path}") as response:
                    return await response.text() if response.ok else None
        return None

    def workers(self) -> list[psutil.Process]:
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)


def hold(processes: list[psutil.Process]) -> list[psutil.Process]:
    """What they do stands still until they are told to go on."""
    return _signalled(processes, SIGSTOP)


def go_on(processes: list[psutil.Process]) -> None:
    _signalled(processes, SIGCONT)


def end(processes: list[psutil.Process]) -> None:
    _signalled(processes, SIGKILL)


def _signalled(processes: list[psutil.Process], number: Signals) -> list[psutil.Process]:
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            each.send_signal(number)
    return processes
