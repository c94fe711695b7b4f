"""What 500 listeners to all events cost the service that writes them: processor time and memory, in turns with none.

Chunks come at a steady pace, which EVENTS_PER_SECOND in the environment sets. The listeners read in a process of their
own, as fast as they are told.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event as EventType
from pathlib import Path

import aiohttp
import psutil

from tests.end_to_end.service_process import Api, ServiceProcess
from tests.tools.bench.figures import spread

ROUNDS = 3
SECONDS = 10.0
EVENTS_PER_SECOND = int(os.environ.get("EVENTS_PER_SECOND", "1000"))
CLIENTS = 16
BODY_BYTES = 1_024

LISTENERS = 500
RECORDINGS = 500
"""Over so many recordings the chunks are spread."""

SETTINGS = {"EVENT_LISTENERS": str(2 * LISTENERS), "MAX_CHUNKS": "1000000", "LOG_LEVEL": "WARNING"}
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Kind:
    """`listeners`: how many; `to_one`: whether each asks for one recording's events, or is told all; `in_gzip`: whether
    they take it compressed, as browsers do."""

    name: str
    listeners: int
    to_one: bool = False
    in_gzip: bool = False


NONE = Kind("none", 0)
KINDS = (
    NONE,
    Kind("500, each to one recording", LISTENERS, to_one=True, in_gzip=True),
    Kind("500, each to all", LISTENERS, in_gzip=True),
    Kind("500, each to all, plain", LISTENERS),
)


@dataclass
class Measured:
    """Of one kind, a number per round. `cpu_us`: of the service's processor time, per event."""

    cpu_us: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    grown: list[float] = field(default_factory=list)
    heard: list[float] = field(default_factory=list)


async def measure() -> None:
    print(f"{EVENTS_PER_SECOND} events a second, or as many as there are, for {SECONDS:g} s, in {ROUNDS} rounds")
    measured = {kind: Measured() for kind in KINDS}
    for number in range(ROUNDS):
        for kind in KINDS[:: -1 if number % 2 else 1]:  # none is always the first
            await _round(kind, measured[kind])
    for kind, its in measured.items():
        print(
            f"  {kind.name:<27} {statistics.median(its.rates):5.0f} events a second, each "
            f"{statistics.median(its.cpu_us):5.0f} µs of the service's processor time; heard "
            f"{statistics.median(its.heard):.0f} times; memory +{statistics.median(its.grown):.0f} MiB"
        )
        if kind is not NONE:
            ratios = [one / alone for one, alone in zip(its.cpu_us, measured[NONE].cpu_us, strict=True)]
            print(f"    processor time beside none   {spread(ratios)}")


async def _round(kind: Kind, its: Measured) -> None:
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        service = ServiceProcess(Path(folder) / "data", SETTINGS)
        try:
            api = (await service.start()).api()
            recordings = [await api.create() for _ in range(RECORDINGS)]
            assert service.process is not None
            process = psutil.Process(service.process.pid)
            async with _listening(api, service, kind, recordings) as heard:
                used, before, memory = _cpu_seconds(process), heard(), process.memory_info().rss
                began = time.monotonic()
                await _load(service, recordings)
                its.rates.append(SECONDS * EVENTS_PER_SECOND / (time.monotonic() - began))
                await asyncio.sleep(1)  # until all is told
                events = SECONDS * EVENTS_PER_SECOND
                its.cpu_us.append((_cpu_seconds(process) - used) / events * 1e6)
                its.grown.append((process.memory_info().rss - memory) / MEBIBYTE)
                its.heard.append((heard() - before) / events)
        finally:
            service.kill()


@asynccontextmanager
async def _listening(
    api: Api, service: ServiceProcess, kind: Kind, recordings: list[dict[str, str]]
) -> AsyncIterator[Callable[[], int]]:
    """Listeners that read in a process of their own. Gives how many events all of them have heard so far."""
    paths = [
        f"/v1/events?recording_id={recordings[number % RECORDINGS]['id']}" if kind.to_one else "/v1/events"
        for number in range(kind.listeners)
    ]
    coding = {"Accept-Encoding": "gzip" if kind.in_gzip else "identity"}
    processes = get_context("spawn")  # a fork would have threads and a loop that do not run there
    heard, connected = processes.Value("q", 0), processes.Event()
    reader = processes.Process(
        target=_read,
        args=(service.port, api.authorization | coding, paths, heard, connected),
        daemon=True,
    )
    reader.start()
    try:
        while not connected.is_set():
            assert reader.is_alive()
            await asyncio.sleep(0.05)
        yield lambda: heard.value
    finally:
        reader.kill()
        reader.join()


def _read(port: int, headers: dict[str, str], paths: list[str], heard: Synchronized, connected: EventType) -> None:
    asyncio.run(_read_all(port, headers, paths, heard, connected))


async def _read_all(
    port: int, headers: dict[str, str], paths: list[str], heard: Synchronized, connected: EventType
) -> None:
    begun = 0
    connections, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)

    async def listen(path: str) -> None:
        nonlocal begun
        async with http.get(f"http://127.0.0.1:{port}{path}") as answer:
            assert answer.status == HTTPStatus.OK, answer
            begun += 1
            if begun == len(paths):
                connected.set()
            async for piece in answer.content.iter_any():
                heard.value += piece.count(b"\ndata: ")  # one cut between two pieces is not counted
        raise ConnectionError("a listener was cut off")

    if not paths:
        connected.set()
    async with aiohttp.ClientSession(connector=connections, timeout=timeout, headers=headers) as http:
        await asyncio.gather(*map(listen, paths))


def _cpu_seconds(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


async def _load(service: ServiceProcess, recordings: list[dict[str, str]]) -> None:
    """Put bodies at the pace, or as fast as they are answered if that is slower."""
    paths = [each["chunk_upload_url_template"].removeprefix(service.url) for each in recordings]
    body, began = bytes(BODY_BYTES), time.monotonic()
    numbers = iter(range(int(SECONDS * EVENTS_PER_SECOND)))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        for number in numbers:
            await asyncio.sleep(max(0.0, began + number / EVENTS_PER_SECOND - time.monotonic()))
            path = paths[number % len(paths)].replace("{part}", str(number // len(paths) + 1))
            writer.writelines(
                [f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY_BYTES}\r\n\r\n".encode(), body]
            )
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


if __name__ == "__main__":
    sys.exit(asyncio.run(measure()))
