import asyncio
from datetime import timedelta
from random import Random
from uuid import uuid4

import pytest

from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.positions import PositionStore
from domain.commands import DeleteRecording
from domain.note_order import OrderNote
from service.application.metrics import Metrics
from service.application.note_orders import NoteOrders
from service.application.recordings import Recordings
from service.application.retry import RetryPolicy
from service.followers.note_order_follower import NoteOrderFollower
from tests.domain.histories import ORDER_FACTS, START, at, finalize, open_recording, store_chunk


@pytest.fixture
async def log(tmp_path):
    log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
    yield log
    await log.close()


async def test_writing_an_ordered_note_ends_when_its_recording_is_deleted(log, tmp_path):
    recordings, orders, positions = Recordings(log), NoteOrders(log), PositionStore(tmp_path / "followers.sqlite3")
    begun, ended, gone = asyncio.Event(), asyncio.Event(), asyncio.Queue()

    async def endless(_, __):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    follower = NoteOrderFollower(
        endless,
        on_gone=gone.put,
        log=log,
        orders=orders,
        recordings=recordings,
        positions=positions,
        policy=RetryPolicy(first=timedelta(0), longest=timedelta(0), attempts=3),
        clock=lambda: at(5),
        random=Random(1),
        metrics=Metrics(),
    )
    recording_id = uuid4()
    for command in (open_recording(), store_chunk(1), finalize(1)):
        await recordings.execute(recording_id, command)
    await orders.execute(uuid4(), OrderNote(at=START, **ORDER_FACTS | {"recording_id": recording_id}))
    running = asyncio.create_task(follower.run())
    async with asyncio.timeout(60):
        await begun.wait()
        await recordings.execute(recording_id, DeleteRecording(at=at(6)))
        assert await gone.get() == recording_id
    assert ended.is_set()
    running.cancel()
    await asyncio.wait([running])
    positions.close()
