"""Chunks go when their retention is over, for real; what is not due yet stays."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from adapters.blobs.segments.store import SegmentBlobStore
from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.positions import PositionStore
from domain.events import Stitched
from service.application.blob_names import blob_prefix
from service.followers.eraser import STITCHED_CHUNKS, Eraser
from tests.adapters.blobs.contract import noise, streamed
from tests.domain.histories import at, chunk, damaged, finalized, opened, stitched

RETENTION = timedelta(hours=1)


@pytest.fixture
async def log(tmp_path):
    log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
    yield log
    await log.close()


@pytest.fixture
async def blobs(tmp_path):
    store = SegmentBlobStore(tmp_path / "blobs")
    yield store
    await store.close()


@pytest.fixture
def positions(tmp_path):
    positions = PositionStore(tmp_path / "followers.sqlite3")
    yield positions
    positions.close()


async def recorded(log, blobs, event: Stitched, number: int):
    its_id = uuid4()
    await log.append(its_id, 0, [opened(), chunk(1), finalized(1), event], trace_id=None)
    await blobs.put(blob_prefix(its_id, "chunk-1"), streamed([noise(5_000, number)]))
    await blobs.put(blob_prefix(its_id, "audio"), streamed([b"audio"]))
    return its_id


def chunks_of(blobs, its_id):
    return list(blobs.keys(blob_prefix(its_id, "chunk")))


async def test_chunks_are_erased_when_their_retention_is_over_and_not_before(log, blobs, positions, tmp_path):
    event = stitched()
    first = await recorded(log, blobs, event, 1)
    second = await recorded(log, blobs, event.model_copy(update={"at": event.at + timedelta(minutes=1)}), 2)
    now = event.at + RETENTION
    eraser = Eraser(
        "erase-chunks", STITCHED_CHUNKS, RETENTION, log=log, blobs=blobs, positions=positions, clock=lambda: now
    )
    running = asyncio.create_task(eraser.run())
    while positions.load("erase-chunks") < 4:
        await asyncio.sleep(0)
    assert chunks_of(blobs, first) == []
    assert len(chunks_of(blobs, second)) == 1
    assert len(list(blobs.keys(blob_prefix(first, "audio")))) == 1
    on_disk = b"".join(path.read_bytes() for path in (tmp_path / "blobs").rglob("*") if path.is_file())
    assert noise(5_000, 1)[:500] not in on_disk
    assert noise(5_000, 2) in on_disk
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_chunks_are_kept_while_one_of_them_is_damaged(log, blobs, positions):
    with_damage = await recorded(log, blobs, stitched(damaged(1)), 1)
    whole = await recorded(log, blobs, stitched(), 2)
    eraser = Eraser(
        "erase-chunks", STITCHED_CHUNKS, timedelta(), log=log, blobs=blobs, positions=positions, clock=lambda: at(60)
    )
    running = asyncio.create_task(eraser.run())
    while positions.load("erase-chunks") < log.head:
        await asyncio.sleep(0)
    assert (len(chunks_of(blobs, with_damage)), chunks_of(blobs, whole)) == (1, [])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_it_goes_on_where_it_was(log, blobs, positions):
    event = stitched()
    its_id = await recorded(log, blobs, event, 1)
    positions.save("erase-chunks", log.head)
    later = await recorded(log, blobs, event, 2)
    eraser = Eraser(
        "erase-chunks", STITCHED_CHUNKS, timedelta(), log=log, blobs=blobs, positions=positions, clock=lambda: event.at
    )
    running = asyncio.create_task(eraser.run())
    while positions.load("erase-chunks") < log.head:
        await asyncio.sleep(0)
    assert chunks_of(blobs, later) == []
    assert len(chunks_of(blobs, its_id)) == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
