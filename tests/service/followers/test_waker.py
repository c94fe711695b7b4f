"""Requests that wait for their recording to come as far as they want."""

import asyncio
from uuid import uuid4

import pytest

from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from domain.errors import RecordingNotFound
from domain.recording import Phase
from service.application.recordings import Recordings
from service.followers.waker import Waker
from tests.domain.histories import finalize, open_recording, store_chunk


@pytest.fixture
async def rig(tmp_path):
    log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
    recordings = Recordings(log)
    waker = Waker(log, recordings)
    running = asyncio.create_task(waker.run())
    yield recordings, waker
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await log.close()


def is_(phase):
    return lambda recording: recording.phase is phase


async def test_all_who_wait_are_woken_when_it_is_so_and_not_before(rig):
    recordings, waker = rig
    its_id, other = uuid4(), uuid4()
    for one in (its_id, other):
        await recordings.execute(one, open_recording())
    waiting = [asyncio.create_task(waker.until(its_id, is_(Phase.STITCHING))) for _ in range(3)]
    for one in (other, its_id):
        await recordings.execute(one, store_chunk(1))
    await recordings.execute(other, finalize(1))
    await waker.until(other, is_(Phase.STITCHING))
    assert not any(task.done() for task in waiting)
    await recordings.execute(its_id, finalize(1))
    async with asyncio.timeout(120):
        found = await asyncio.gather(*waiting)
    assert {recording.phase for recording in found} == {Phase.STITCHING}


async def test_what_is_so_already_is_not_waited_for(rig):
    recordings, waker = rig
    its_id = uuid4()
    await recordings.execute(its_id, open_recording())
    assert (await waker.until(its_id, is_(Phase.OPEN))).phase is Phase.OPEN


async def test_nobody_waits_for_what_there_is_not(rig):
    with pytest.raises(RecordingNotFound):
        await rig[1].until(uuid4(), is_(Phase.OPEN))
