"""What a refused request held is free as soon as it is answered, and does not wait until the interpreter looks for
cycles: an error that a task or a connection keeps holds the frames that it went through, with the bytes in them."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from adapters.blobs.segments.gathering import Gathering
from adapters.blobs.segments.writer import StagedBody
from adapters.quotas import Quota, QuotaStore
from domain import decisions
from service.application.uploads import ArrivedChunk
from tests.end_to_end.dorsum_client import Dorsum, keys_in, silence
from tests.service.dialects.test_quotas import project_of
from tests.service.running_service import Running, TurnedClock, running_service
from tests.tools.abuse.floods import in_pieces

HOLDERS = (ArrivedChunk, StagedBody, Gathering)
BODY = bytes(range(256)) * 400


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    monkeypatch.setattr(decisions, "MOST_REPLACEMENTS", 1)
    async with running_service(tmp_path / "data", TurnedClock()) as running:
        yield running


@pytest.fixture
def earlier() -> Iterator[list[object]]:
    """What other tests have left. From then on there is no collector of cycles."""
    gc.collect()
    gc.disable()
    yield holders()
    gc.enable()


def holders() -> list[object]:
    return [held for held in gc.get_objects() if isinstance(held, HOLDERS)]


def set_quota(running: Running, quota: Quota, most: int) -> None:
    store = QuotaStore(running.settings.quotas_path)
    store.set_for(project_of(running), quota, most)
    store.close()


async def opens_too_much(running: Running) -> int:
    set_quota(running, Quota.OPEN_RECORDINGS, 0)
    dorsum = Dorsum(running.settings.base_url, keys_in(running.settings.data_dir))
    return (await dorsum.send(silence(1), previous_transcript="")).status


async def is_too_large_for_the_quota(running: Running) -> int:
    recording = await running.api.upload([BODY])
    await running.service.usage_view.wait_for(running.stores.log.head, seconds=30)
    set_quota(running, Quota.BYTES, 2 * len(BODY))
    return (await running.api.put(recording, 2, in_pieces(BODY * 2))).status


async def replaces_too_often(running: Running) -> int:
    recording = await running.api.upload([BODY])
    for begin in (1, 2):
        assert (await running.api.put(recording, 1, BODY[begin:])).status == 200
    return (await running.api.put(recording, 1, BODY[3:])).status


async def has_another_checksum(running: Running) -> int:
    recording = await running.api.upload([BODY])
    return (await running.api.put(recording, 2, BODY, **{"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="})).status


async def ends_in_the_middle(running: Running) -> None:
    recording = await running.api.upload([BODY])
    url = urlsplit(recording["chunk_upload_url_template"].replace("{part}", "2"))
    _, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n".encode() + BODY)
    await writer.drain()
    async with asyncio.timeout(30):
        while not any(isinstance(held, Gathering) and held.size_bytes == len(BODY) for held in holders()):
            await asyncio.sleep(0.01)
    writer.transport.abort()


@pytest.mark.parametrize(
    ("send", "status"),
    [
        (opens_too_much, 429),
        (is_too_large_for_the_quota, 507),
        (replaces_too_often, 409),
        (has_another_checksum, 400),
        (ends_in_the_middle, None),
    ],
)
async def test_nothing_of_a_refused_request_stays(
    running: Running, earlier: list[object], send: Callable[[Running], Awaitable[int | None]], status: int | None
) -> None:
    assert await send(running) == status
    known = set(map(id, earlier))
    async with asyncio.timeout(30):
        while any(id(held) not in known for held in holders()):
            await asyncio.sleep(0.01)
