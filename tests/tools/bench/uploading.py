"""Chunks into one recording of the real service: does a chunk cost more after ten thousand others?"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from tests.end_to_end.service_process import ServiceProcess
from tests.tools.bench.figures import spread

CLIENTS = 16
CHUNKS = 10_000
CHUNK_BYTES = 4_096
EDGE = 1_000
ROUNDS = 3


async def measure() -> None:
    rows = [await chunks_into_one_recording() for _ in range(ROUNDS)]
    ratios = [late / early for early, late, _ in rows]
    print(f"{CHUNKS} chunks of {CHUNK_BYTES} bytes into one recording, {CLIENTS} clients, {ROUNDS} runs")
    print(f"  time per chunk, last {EDGE} : first {EDGE}         {spread(ratios)}")
    print(f"  chunks per second                          {spread([1 / statistics.mean(row[:2]) for row in rows])}")
    print(f"  events per commit                          {spread([row[2] for row in rows])}")


async def chunks_into_one_recording() -> tuple[float, float, float]:
    """Seconds per chunk at the start and at the end, and events per commit."""
    with tempfile.TemporaryDirectory() as folder:
        service = ServiceProcess(Path(folder) / "data", {"MAX_CHUNKS": str(CHUNKS), "LOG_LEVEL": "WARNING"})
        try:
            api = (await service.start()).api()
            recording = await api.create()
            template = recording["chunk_upload_url_template"]
            early = await upload(template, range(1, EDGE + 1))
            await upload(template, range(EDGE + 1, CHUNKS - EDGE + 1))
            late = await upload(template, range(CHUNKS - EDGE + 1, CHUNKS + 1))
            metrics = (await api.call("GET", "/metrics")).body.decode()
            return (
                early,
                late,
                metric(metrics, "tapedeck_log_events_total") / metric(metrics, "tapedeck_log_commits_total"),
            )
        finally:
            service.stop()


def metric(metrics: str, name: str) -> float:
    return next(float(line.split()[1]) for line in metrics.splitlines() if line.startswith(name))


async def upload(template: str, numbers: range) -> float:
    """Put these chunks with all clients at once; returns the seconds per chunk."""
    waiting = iter(numbers)

    async def client(session: aiohttp.ClientSession) -> None:
        for number in waiting:
            url = aiohttp.client.URL(template.replace("{part}", str(number)), encoded=True)
            async with session.put(url, data=bytes(CHUNK_BYTES)) as answer:
                if answer.status != 200:
                    sys.exit(f"chunk {number} was answered with {answer.status}: {await answer.text()}")

    async with aiohttp.ClientSession() as session:
        began = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(CLIENTS)))
        return (time.perf_counter() - began) / len(numbers)
