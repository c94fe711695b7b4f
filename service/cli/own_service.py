"""A tapedeck service in a child process, on a free port of this machine."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from random import SystemRandom

import aiohttp
import orjson

from service.application.retry import RetryPolicy
from service.client import ClientFailure

STARTING = RetryPolicy(
    first=timedelta(milliseconds=50),
    factor=1.5,
    longest=timedelta(milliseconds=500),
    patience=timedelta(minutes=1),
    jitter=0.0,
)
STOPPING_SECONDS = 30
LOG_LINES_SHOWN = 15


@dataclass(frozen=True)
class OwnService:
    """A running service: its address and where it keeps its data."""

    url: str
    data_dir: Path


@asynccontextmanager
async def running_service(folder: Path) -> AsyncIterator[OwnService]:
    """Start a service with its data in `folder`; it is ready on entry and stopped on exit.

    Raises: ClientFailure with its last log lines when it does not start; a ClientFailure within the `async with` gets
    them too.
    """
    port = _free_port()
    service = OwnService(f"http://127.0.0.1:{port}", folder / "data")
    log = folder / "service.log"
    process = _start(service, port, log)
    try:
        await _until_ready(service, process)
        yield service
    except ClientFailure as failure:
        raise ClientFailure(f"{failure}{_last_lines(log)}") from failure
    finally:
        _stop(process)


def _start(service: OwnService, port: int, log: Path) -> subprocess.Popen[bytes]:
    # None of the caller's own settings: a demonstration must not write to their database, or need their model.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAPEDECK_")}
    environment |= {
        "TAPEDECK_DATA_DIR": str(service.data_dir),
        "TAPEDECK_HOST": "127.0.0.1",
        "TAPEDECK_PORT": str(port),
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A session of its own, so that Ctrl-C reaches only the caller, which then stops it cleanly.
            start_new_session=True,
        )


async def _until_ready(service: OwnService, process: subprocess.Popen[bytes]) -> None:
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for delay in STARTING.delays(SystemRandom()):
            if process.poll() is not None:
                raise ClientFailure(f"The service ended at once, with code {process.returncode}.")
            try:
                async with session.get(f"{service.url}/readyz") as response:
                    if response.status == HTTPStatus.OK:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass  # not listening yet: try again
            await asyncio.sleep(delay.total_seconds())
    raise ClientFailure("The service did not become ready within a minute.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOPPING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_lines(log: Path) -> str:
    with log.open(encoding="utf-8", errors="replace") as file:
        lines = deque(file, maxlen=LOG_LINES_SHOWN)
    if not lines:
        return " The service logged nothing."
    return "\nThe service's last log lines:\n" + "\n".join(f"  {_readable(line)}" for line in lines)


def _readable(line: str) -> str:
    """Write a JSON log line for people; anything else as it is."""
    try:
        entry = orjson.loads(line)
        level, message = entry.pop("level"), entry.pop("message")
    except (orjson.JSONDecodeError, KeyError, AttributeError, TypeError):
        return line.rstrip()
    exception = str(entry.pop("exception", "")).replace("\n", "\n    ")
    rest = "  ".join(f"{name}={value}" for name, value in entry.items() if name not in ("at", "logger"))
    return f"{level:<8} {message}  {rest}".rstrip() + (f"\n    {exception}" if exception else "")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
