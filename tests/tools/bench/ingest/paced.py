"""Load at a fixed rate: each request is due at its own moment and timed from then, so a stall shows in full."""

import asyncio
import statistics
import time

from tests.tools.bench.ingest.load import Measured
from tests.tools.bench.ingest.servers import Server

CLIENTS = 16


async def paced(server: Server, *, size_bytes: int, rate: float, seconds: float, first_part: int) -> Measured:
    """Put bodies at `rate` per second over CLIENTS connections. Raises: RuntimeError when one is not accepted."""
    body, times = bytes(size_bytes), []
    count = int(rate * seconds)
    began = time.perf_counter() + 0.1
    numbers = iter(range(count))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for number in numbers:
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            path = server.path.replace("{part}", str(first_part + number + 1))
            head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size_bytes}\r\n\r\n"
            writer.writelines([head.encode(), body])
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 20"):
                raise RuntimeError(f"{server.name}: {answer[:200]!r}")
            times.append((time.perf_counter() - due) * 1000)
        writer.close()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    percentiles = statistics.quantiles(times, n=100)
    return Measured(
        rate=rate, p50_ms=statistics.median(times), p99_ms=percentiles[98], requests=count, last_part=first_part + count
    )
