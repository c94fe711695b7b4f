"""Deliveries to twenty endpoints, two of them dead, with the service killed in the middle. None is lost or held up.

The service is the real process, and so are the receivers' connections.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.service_process import Api, ServiceProcess
from tests.service.dialects.bota.webhook_receiver import Receiver

ENDPOINTS, DEAD = 20, 2
CLIENTS = 16


@dataclass(frozen=True)
class Outcome:
    """`seconds_behind`: from when the last event was answered to when the last live endpoint had everything."""

    recordings: int
    received: int
    repeated: int
    seconds_behind: float


async def deliver(data_dir: Path, *, recordings: int) -> Outcome:
    """Create this many recordings, with one event for every endpoint, and check that live endpoints get them all."""
    service = ServiceProcess(data_dir, {"LOG_LEVEL": "ERROR"})
    live = [await Receiver().start() for _ in range(ENDPOINTS - DEAD)]
    try:
        async with _dead_receivers() as dead_urls:
            api = (await service.start()).api()
            for url in [*dead_urls[:1], *(one.url for one in live), *dead_urls[1:]]:
                body = {"url": url, "events": ["recording.created"]}
                assert (await api.call("POST", "/v1/webhooks", body=body)).status == 201
            half = recordings // 2
            made = await _create(api, half)
            await live[0].count(half // 2)
            service.kill()
            await service.start()
            made |= await _create(api, recordings - half)
            ended = time.perf_counter()
            for receiver in live:
                await _all_of(receiver, made)
            behind = time.perf_counter() - ended
            received = [[one.body["id"] for one in receiver.received] for receiver in live]
            return Outcome(
                recordings=recordings,
                received=sum(len(set(ids)) for ids in received),
                repeated=sum(len(ids) - len(set(ids)) for ids in received),
                seconds_behind=behind,
            )
    finally:
        service.kill()
        for receiver in live:
            await receiver.stop()


async def _create(api: Api, count: int) -> set[str]:
    numbers = iter(range(count))

    async def client() -> list[str]:
        return [(await api.create())["id"] for _ in numbers]

    return {made for ids in await asyncio.gather(*(client() for _ in range(CLIENTS))) for made in ids}


async def _all_of(receiver: Receiver, made: set[str]) -> None:
    seconds = 120 + len(made) / 10
    async with asyncio.timeout(seconds):
        count = len(made)
        while made - {one.body["data"]["id"] for one in receiver.received}:
            count = max(count, len(receiver.received)) + 1 if len(receiver.received) >= count else count
            await receiver.count(count, seconds=seconds)


@asynccontextmanager
async def _dead_receivers() -> AsyncIterator[list[str]]:
    """One that accepts connections and never answers, and one that accepts none."""
    waiting: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: waiting.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield [f"http://127.0.0.1:{port}/never", "http://127.0.0.1:9/refused"]
    finally:
        server.close()
        for writer in waiting:
            writer.close()


async def main(deliveries: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outcome = await deliver(Path(folder) / "data", recordings=deliveries // ENDPOINTS)
    print(f"{deliveries} deliveries to {ENDPOINTS} endpoints, {DEAD} of them dead, and a kill -9 in the middle:")
    print(f"  received by the {ENDPOINTS - DEAD} live ones   {outcome.received}, each at least once")
    print(f"  of them more than once      {outcome.repeated}")
    print(f"  behind the last event by    {outcome.seconds_behind:.1f} s")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
