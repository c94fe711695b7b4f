"""Files of some kilobytes that take hundreds of megabytes to read: they fail by name, and cost nobody else anything."""

import asyncio
from contextlib import suppress

import pytest

from tests.end_to_end.service_process import short_speech
from tests.tools.abuse.boxes import mp4_claimed_samples, mp4_tags
from tests.tools.peak_memory import MEBIBYTE, peak_bytes

LIMIT = 128 * MEBIBYTE


async def recorded(api, content: bytes) -> dict:
    recording = await api.create()
    assert (await api.put(recording, 1, content)).status == 200
    assert (await api.finalize(recording, 1)).status == 200
    return await api.ended(recording)


@pytest.mark.slow
async def test_a_recording_that_takes_too_much_memory_fails_by_name_and_costs_no_other_its_worker(own_service):
    own_service.settings |= {"WORKERS": "1", "WORKER_MEMORY_BYTES": str(LIMIT)}
    api = (await own_service.start()).api()
    assert (await recorded(api, short_speech()))["status"] == "completed"
    loaded = max(peak_bytes(worker.pid) for worker in own_service.workers())

    bomb = mp4_claimed_samples(1024 * MEBIBYTE)
    assert len(bomb) < 16 * 1024
    watch = asyncio.create_task(highest(own_service))
    failed, kept = await asyncio.gather(recorded(api, bomb), recorded(api, short_speech()))
    watch.cancel()
    assert (failed["status"], failed["failure"]["reason"]) == ("failed", "too_much_memory")
    assert failed["failure"]["message"].startswith("Processing needed more memory than the 128 MiB that one job may")
    events = (await api.get(failed, "/events"))["data"]
    assert [event["data"]["attempts"] for event in events if event["type"] == "Failed"] == [1]
    assert kept["status"] == "completed"
    with suppress(asyncio.CancelledError):
        await watch
    assert highest.most < loaded + 4 * LIMIT  # without a limit, more than a gigabyte


async def highest(service) -> None:
    """Notes the most memory that any worker process has had, until it is cancelled."""
    highest.most = 0
    while True:
        for worker in service.workers():
            with suppress(OSError, AssertionError):  # it has just ended
                highest.most = max(highest.most, peak_bytes(worker.pid))
        await asyncio.sleep(0.005)


async def test_a_million_tags_are_passed_over(project):
    kept = await recorded(project, mp4_tags(8 * MEBIBYTE))
    assert (kept["status"], kept.get("damage")) == ("completed", None)
