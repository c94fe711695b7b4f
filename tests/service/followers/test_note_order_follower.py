import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from uuid import uuid4

import pytest

from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.positions import PositionStore
from domain.commands import DeleteRecording
from domain.note_order import FulfilOrder, OrderNote
from service.application.metrics import Metrics
from service.application.note_orders import NoteOrders
from service.application.recordings import Recordings
from service.application.retry import RetryPolicy
from service.followers.note_order_follower import NoteOrderFollower
from tests.domain.histories import NOTE_FACTS, ORDER_FACTS, START, at, finalize, open_recording, store_chunk


@pytest.fixture
async def log(tmp_path):
    log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
    yield log
    await log.close()


class Rig:
    """A follower that does `work`, and a recording that a note is ordered of."""

    def __init__(self, log, tmp_path):
        self.log = log
        self.recordings = Recordings(log)
        self.positions = PositionStore(tmp_path / "followers.sqlite3")
        self.gone = asyncio.Queue()
        self.recording_id = uuid4()

    @asynccontextmanager
    async def following(self, work):
        orders = NoteOrders(self.log)
        follower = NoteOrderFollower(
            work,
            on_gone=self.gone.put,
            log=self.log,
            orders=orders,
            recordings=self.recordings,
            positions=self.positions,
            policy=RetryPolicy(first=timedelta(0), longest=timedelta(0), attempts=3),
            clock=lambda: at(5),
            random=Random(1),
            metrics=Metrics(),
        )
        for command in (open_recording(), store_chunk(1), finalize(1)):
            await self.recordings.execute(self.recording_id, command)
        await orders.execute(uuid4(), OrderNote(at=START, **ORDER_FACTS | {"recording_id": self.recording_id}))
        running = asyncio.create_task(follower.run())
        async with asyncio.timeout(60):
            yield
        running.cancel()
        await asyncio.wait([running])
        self.positions.close()


async def test_writing_an_ordered_note_ends_when_its_recording_is_deleted(log, tmp_path):
    rig, begun, ended = Rig(log, tmp_path), asyncio.Event(), asyncio.Event()

    async def endless(_, __):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with rig.following(endless):
        await begun.wait()
        await rig.recordings.execute(rig.recording_id, DeleteRecording(at=at(6)))
        assert await rig.gone.get() == rig.recording_id
    assert ended.is_set()


async def test_a_note_that_is_written_while_another_process_deletes_its_recording_goes_with_it(log, tmp_path):
    rig = Rig(log, tmp_path)
    other_log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))

    async def deleted_meanwhile(_, __):
        await Recordings(other_log).execute(rig.recording_id, DeleteRecording(at=at(6)))
        return FulfilOrder(**NOTE_FACTS | {"at": at(7)})

    async with rig.following(deleted_meanwhile):
        assert await rig.gone.get() == rig.recording_id
    await other_log.close()
