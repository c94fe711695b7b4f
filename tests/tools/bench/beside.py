"""How fast chunks are stored while other recordings arrive, are recognized ahead of their end, and are listened to:
compared, in turns, with a service that hears no recording before its end and otherwise has the same to do."""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.end_to_end.listening import listening
from tests.end_to_end.service_process import Api, ServiceProcess
from tests.tools.bench.figures import spread
from tests.tools.bench.head_start import speech

ROUNDS = 4
SECONDS = 8.0
CLIENTS = 16
BODY_BYTES = 64 * 1024

SPOKEN = 4
"""Recordings that are listened to, each by one listener."""
SPOKEN_SECONDS = 600
SPEED = 8
SPOKEN_CHUNK_BYTES = 16 * 1024
SETTINGS = {"MAX_CHUNKS": "1000000"}
KINDS = {"with head start": {}, "without": {"LISTENED_RECORDINGS": "0"}}


@dataclass
class Measured:
    """Of one kind of service, a number per round. `cpu_us`: of the service's own process, per chunk. `heard`: parts, in
    all rounds."""

    cpu_us: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    heard: int = 0


async def measure() -> None:
    print(
        f"Chunks of {BODY_BYTES // 1024} KiB from {CLIENTS} clients, beside {SPOKEN} recordings of speech at {SPEED} "
        f"times real time that are listened to; {ROUNDS} rounds of {SECONDS:g} s"
    )
    body, measured = speech(SPOKEN_SECONDS), {name: Measured() for name in KINDS}
    for number in range(ROUNDS):
        for name in sorted(KINDS, reverse=number % 2 == 1):  # none is always the first
            await _round(KINDS[name], body, measured[name])
    for name, its in measured.items():
        print(
            f"  {name:<16} {statistics.median(its.cpu_us):6.0f} µs of its processor time a chunk, "
            f"{statistics.median(its.rates):.0f} a second, p99 {statistics.median(its.p99_ms):.1f} ms; "
            f"{its.heard} parts heard meanwhile"
        )
    ahead, none = measured.values()
    print(f"  processor time, with : without   {spread(_ratios(ahead.cpu_us, none.cpu_us))}")
    print(f"  rate, with : without   {spread(_ratios(ahead.rates, none.rates))}")
    print(f"  p99, with : without    {spread(_ratios(ahead.p99_ms, none.p99_ms))}")


def _ratios(ours: Sequence[float], others: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(ours, others, strict=True)]


async def _round(settings: dict[str, str], body: bytes, its: Measured) -> None:
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        service = ServiceProcess(Path(folder) / "data", SETTINGS | settings)
        try:
            api = (await service.start()).api()
            spoken = [await api.create() for _ in range(SPOKEN)]
            async with _arriving(api, spoken, body):
                if "LISTENED_RECORDINGS" not in settings:
                    await _some_is_heard(api, spoken)
                used = _cpu_seconds(service)
                times = await _load(service, await api.create())
                its.cpu_us.append((_cpu_seconds(service) - used) / len(times) * 1e6)
            its.rates.append(len(times) / SECONDS)
            its.p99_ms.append(statistics.quantiles(times, n=100)[98])
            for each in spoken:
                its.heard += (await api.event_types(each)).count("PartHeard")
        finally:
            service.kill()


@asynccontextmanager
async def _arriving(api: Api, spoken: list[dict[str, str]], body: bytes) -> AsyncIterator[None]:
    """Recordings whose chunks come at a steady pace, and who listens to them; from when each has its first chunks."""
    begun = [asyncio.Event() for _ in spoken]
    tasks = [asyncio.create_task(_arrive(api, *each, body)) for each in zip(spoken, begun, strict=True)]
    tasks += [asyncio.create_task(_listen(api, each)) for each in spoken]
    try:
        for each in begun:
            await each.wait()
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _arrive(api: Api, recording: dict[str, str], begun: asyncio.Event, body: bytes) -> None:
    """At once what is heard in a minute and a half, so that there is something to recognize; then at its pace."""
    chunks = [body[start : start + SPOKEN_CHUNK_BYTES] for start in range(0, len(body), SPOKEN_CHUNK_BYTES)]
    pace, ahead = SPOKEN_SECONDS / SPEED / len(chunks), len(chunks) * 90 // SPOKEN_SECONDS
    began = time.monotonic()
    for number, chunk in enumerate(chunks, 1):
        await asyncio.sleep(max(0.0, began + (number - ahead) * pace - time.monotonic()))
        answer = await api.put(recording, number, chunk)
        assert answer.status == 200, answer
        if number >= ahead:
            begun.set()


async def _listen(api: Api, recording: dict[str, str]) -> None:
    async with listening(api, recording) as heard:
        await heard.rest()


async def _some_is_heard(api: Api, spoken: list[dict[str, str]]) -> None:
    while not any(["PartHeard" in await api.event_types(each) for each in spoken]):
        await asyncio.sleep(0.1)


def _cpu_seconds(service: ServiceProcess) -> float:
    assert service.process is not None
    return sum(psutil.Process(service.process.pid).cpu_times()[:2])


async def _load(service: ServiceProcess, recording: dict[str, str]) -> list[float]:
    """Put bodies as fast as they are answered; how long each took, in milliseconds."""
    path = recording["chunk_upload_url_template"].removeprefix(service.url)
    body, times = bytes(BODY_BYTES), []
    ends, numbers = time.monotonic() + SECONDS, iter(range(1, 1_000_000))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        while True:
            its_path = path.replace("{part}", str(next(numbers)))
            head = f"PUT {its_path} HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
            began = time.perf_counter()
            writer.writelines([head.encode(), body])
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
            times.append((time.perf_counter() - began) * 1000)
            if time.monotonic() >= ends:
                break
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return times


if __name__ == "__main__":
    sys.exit(asyncio.run(measure()))
