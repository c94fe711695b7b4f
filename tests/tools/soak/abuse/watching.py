"""What the service takes while it is under attack: memory of each of its processes, disk, and what its metrics say."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
import psutil

from tests.end_to_end.service_process import ServiceProcess
from tests.files_on_disk import disk_bytes
from tests.tools.peak_memory import peak_bytes
from tests.tools.soak.abuse.operating import MEBIBYTE, MOST_KEPT_BYTES

EVERY_SECONDS = 0.5
_DISK_EVERY = 10
"""In such looks: walking through the data directory takes longer than the rest."""


@dataclass
class Taken:
    """The most that was seen. `workers_seen`: how many worker processes there were, one after another."""

    service_bytes: int = 0
    worker_bytes: int = 0
    workers_seen: int = 0
    disk_bytes: int = 0
    workers: set[int] = field(default_factory=set)


@asynccontextmanager
async def watched(service: ServiceProcess) -> AsyncIterator[Taken]:
    """Looks again and again until the block ends, and once more then."""
    taken = Taken()
    watching = asyncio.create_task(_watch(service, taken))
    try:
        yield taken
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await asyncio.to_thread(_look, service, taken, disk=True)


async def _watch(service: ServiceProcess, taken: Taken) -> None:
    look = 0
    while True:
        await asyncio.to_thread(_look, service, taken, disk=look % _DISK_EVERY == 0)
        look += 1
        await asyncio.sleep(EVERY_SECONDS)


def _look(service: ServiceProcess, taken: Taken, *, disk: bool) -> None:
    if has_ended(service):
        return
    assert service.process is not None
    taken.service_bytes = max(taken.service_bytes, peak_bytes(service.process.pid))
    for worker in service.workers():
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError, AssertionError):  # it has just ended
            taken.worker_bytes = max(taken.worker_bytes, peak_bytes(worker.pid))
            taken.workers.add(worker.pid)
    taken.workers_seen = len(taken.workers)
    if disk:
        taken.disk_bytes = max(taken.disk_bytes, disk_bytes(service.data_dir))


def has_ended(service: ServiceProcess) -> bool:
    return service.process is None or service.process.poll() is not None


async def defects(service: ServiceProcess) -> AsyncIterator[str]:
    """What the service's metrics say that must not be: answers of 500, and projects that keep more than they may."""
    async with aiohttp.ClientSession() as http, http.get(f"{service.url}/metrics") as answer:
        text = await answer.text()
    broken = sum(_values(r'tapedeck_http_requests_total\{.*status="500".*\}', text).values())
    if broken:
        yield f"{broken:.0f} requests were answered with 500"
    for series, kept_bytes in _values(r"tapedeck_project_bytes\{.*\}", text).items():
        if kept_bytes > MOST_KEPT_BYTES:
            yield f"{series} is {kept_bytes / MEBIBYTE:.0f} MiB, more than {MOST_KEPT_BYTES / MEBIBYTE:.0f}"


def logged_errors(service: ServiceProcess) -> Iterator[str]:
    """What the service has logged as errors, each kind once: no request and no recording may cause one."""
    lines = [line for line in service.log_lines() if line["level"] == "error"]
    kinds = Counter(f"{line['message']}: {line.get('exception', '').rpartition(chr(10))[2]}"[:300] for line in lines)
    for kind, times in kinds.items():
        yield f"logged {times} times: {kind}"


def _values(series: str, metrics: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(rf"^({series}) (\S+)$", metrics, re.MULTILINE)}
