"""What listeners cost the real service: memory, and processor time while chunks arrive and while nothing happens."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from tests.end_to_end.listening import SECONDS as PATIENCE_SECONDS
from tests.end_to_end.service_process import Api, ServiceProcess

LISTENERS = 500
SECONDS = 10
CHUNKS_PER_SECOND = 20
CHUNK_BYTES = 16_384
RECORDINGS = (1, 500)
"""Over how many recordings the listeners are spread; of these, one gets the chunks."""

MEBIBYTE = 1024 * 1024


@dataclass
class Listeners:
    """Who is connected, and how many events arrived. Nothing that is read is kept."""

    session: aiohttp.ClientSession
    connected: int = 0
    events: int = 0

    async def listen(self, api: Api, recording_id: str) -> None:
        url = f"{api.url}/v1/recordings/{recording_id}/live"
        async with self.session.get(url, headers=api.authorization) as answer:
            assert answer.status == 200, await answer.text()
            self.connected += 1
            async for line in answer.content:
                self.events += line.startswith(b"event:")

    async def all_are_told(self, least: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.events < least:
                await asyncio.sleep(0.05)


async def measure() -> None:
    print(f"{LISTENERS} listeners, {CHUNKS_PER_SECOND} chunks a second of {CHUNK_BYTES} bytes, each for {SECONDS} s")
    await measure_one(0, 1)
    for recordings in RECORDINGS:
        await measure_one(LISTENERS, recordings)


async def measure_one(listeners: int, recordings: int) -> None:
    most = {"EVENT_LISTENERS": str(2 * LISTENERS), "MAX_CHUNKS": "100000", "LOG_LEVEL": "WARNING"}
    timeout, limit = aiohttp.ClientTimeout(total=None), aiohttp.TCPConnector(limit=0)
    with tempfile.TemporaryDirectory() as folder:
        service = ServiceProcess(Path(folder) / "data", most)
        try:
            api = (await service.start()).api()
            async with aiohttp.ClientSession(timeout=timeout, connector=limit) as session, AsyncExitStack() as ends:
                some = [await api.create() for _ in range(recordings)]
                assert service.process is not None
                process = psutil.Process(service.process.pid)
                before = process.memory_info().rss
                heard = Listeners(session)
                for number in range(listeners):
                    task = asyncio.create_task(heard.listen(api, some[number % recordings]["id"]))
                    ends.callback(task.cancel)
                await heard.all_are_told(listeners)
                idle = await processor_seconds(process, asyncio.sleep(SECONDS))
                arriving = await processor_seconds(process, upload(session, some[0]))
                grown = process.memory_info().rss - before
                name = f"{listeners} listeners to {recordings} recordings" if listeners else "no listener"
                print(
                    f"  {name:<32} memory +{grown / MEBIBYTE:.1f} MiB   processor {100 * idle:.1f} % while nothing "
                    f"happens, {100 * arriving:.1f} % while chunks arrive; {heard.events} events"
                )
        finally:
            service.stop()


async def processor_seconds(process: psutil.Process, work: Awaitable[None]) -> float:
    """Of the service, per second that the work took."""
    began, used = time.monotonic(), sum(process.cpu_times()[:2])
    await work
    return (sum(process.cpu_times()[:2]) - used) / (time.monotonic() - began)


async def upload(session: aiohttp.ClientSession, recording: dict[str, str]) -> None:
    """Chunks at a steady pace."""
    began, body = time.monotonic(), bytes(CHUNK_BYTES)
    for number in range(1, int(SECONDS * CHUNKS_PER_SECOND) + 1):
        url = recording["chunk_upload_url_template"].replace("{part}", str(number))
        async with session.put(url, data=body) as answer:
            assert answer.status == 200, await answer.text()
        await asyncio.sleep(max(0.0, began + number / CHUNKS_PER_SECOND - time.monotonic()))


if __name__ == "__main__":
    sys.exit(asyncio.run(measure()))
