"""A page of a list of 100 000 recordings compared with a page of a list of 100."""

import asyncio
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.keys import KeyKind, KeyStore
from service.application.clock import utc_now
from tests.domain.histories import START, opened
from tests.end_to_end.service_process import Api, ServiceProcess

SIZES = (100, 100_000)
NEVER = START + timedelta(days=36_500)
PAGES = 60
QUERIES = ("?limit=25", "?limit=25&device_id=dev_1", "?limit=25&status=streaming")


async def page_seconds() -> dict[str, tuple[float, float]]:
    """For each query: the median seconds of a page from the middle of the short list, and of the long one."""
    with tempfile.TemporaryDirectory() as folder:
        service = ServiceProcess(Path(folder) / "data", {"LOG_LEVEL": "WARNING"})
        service.data_dir.mkdir()
        for size in SIZES:
            await _fill(service.data_dir / "tapedeck.sqlite3", f"proj_{size}", size)
        keys = KeyStore(service.data_dir / "keys.sqlite3", clock=utc_now)
        tokens = [keys.create(KeyKind.SECRET, project_id=f"proj_{size}").token for size in SIZES]
        keys.close()
        try:
            await service.start()
            short, long = (Api(service.url, token, "eu_1") for token in tokens)
            while (await long.call("GET", "/v1/recordings")).status != 200:
                await asyncio.sleep(0.2)  # until the view has read the log
            return {query: (await _median(short, query), await _median(long, query)) for query in QUERIES}
        finally:
            service.stop()


async def _fill(path: Path, project_id: str, size: int) -> None:
    log = EventLog(SQLiteLogRecorder(path))
    appends = [
        log.append(
            uuid4(),
            0,
            [
                opened(
                    tenant_id=project_id,
                    device_id=f"dev_{number % 2}",
                    at=START + timedelta(seconds=number),
                    expires_at=NEVER,
                )
            ],
            trace_id=None,
        )
        for number in range(size)
    ]
    await asyncio.gather(*appends)
    await log.close()


async def _median(api: Api, query: str) -> float:
    """Over consecutive pages; the list's end is followed by its beginning."""
    seconds, cursor = [], ""
    for _ in range(PAGES):
        began = time.perf_counter()
        answer = await api.call("GET", f"/v1/recordings{query}{cursor}")
        seconds.append(time.perf_counter() - began)
        following = answer.json["next_cursor"]
        cursor = f"&cursor={following}" if following else ""
    return statistics.median(seconds)


async def measure() -> None:
    print(f"A page of a list of {SIZES[1]} recordings : of one of {SIZES[0]}")
    for query, (short, long) in (await page_seconds()).items():
        print(f"  GET /v1/recordings{query:<34} {long / short:.2f}")
