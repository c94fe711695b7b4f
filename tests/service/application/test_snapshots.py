import asyncio
import logging
import sqlite3
from threading import Event
from uuid import uuid4

import pytest

from adapters.event_log.log import EventLog
from adapters.event_log.snapshots import SnapshotStore
from adapters.event_log.sqlite import SQLiteLogRecorder, SQLiteSnapshotRecorder
from domain.errors import RecordingNotFound
from domain.recording import fold
from service.application import streams
from service.application.recording_snapshots import RecordingSnapshots
from service.application.recordings import Recordings
from tests.domain import histories
from tests.domain.histories import chunk, delete, finalize, finalized, open_recording, store_chunk

LONG = 8
"""How many events are a long history in these tests."""


class Restarts:
    """A log that outlives its readers; counts the events that each of them had to fold."""

    def __init__(self, path):
        self.path = path
        self.recorder = SQLiteLogRecorder(path)
        self.log = EventLog(self.recorder)
        self.read = []
        state = self.log.state

        async def counted(stream_id, fold, *, after):
            reached = await state(stream_id, fold, after=after)
            self.read.append(reached.version - after.version)
            return reached

        self.log.state = counted

    def restarted(self):
        self.read.clear()
        return Recordings(self.log, snapshots=RecordingSnapshots(SnapshotStore(SQLiteSnapshotRecorder(self.recorder))))

    async def folded(self, its_id):
        return fold(recorded.event for recorded in await self.log.history(its_id))

    def snapshots(self):
        with sqlite3.connect(self.path) as connection:
            return connection.execute("SELECT originator_id, originator_version FROM snapshots").fetchall()

    def spoil(self, sql):
        with sqlite3.connect(self.path) as connection:
            assert connection.execute(sql).rowcount == 1


@pytest.fixture(autouse=True)
def a_few_events_are_long(monkeypatch):
    monkeypatch.setattr(streams, "SNAPSHOT_AFTER", LONG)


@pytest.fixture
async def rig(tmp_path):
    rig = Restarts(tmp_path / "log.sqlite3")
    yield rig
    await rig.log.close()


async def recorded(rig, chunks):
    its_id, recordings = uuid4(), rig.restarted()
    await recordings.execute(its_id, open_recording())
    for number in range(1, chunks + 1):
        await recordings.execute(its_id, store_chunk(number))
    return its_id


async def load(rig, its_id):
    recordings = rig.restarted()
    recording = await recordings.find(its_id)
    await recordings.close()
    assert recording == await rig.folded(its_id)
    return recordings


async def test_a_long_history_is_folded_once_and_then_only_what_came_later(rig):
    its_id = await recorded(rig, LONG)
    await load(rig, its_id)
    assert rig.snapshots() == [(its_id.hex, LONG + 1)]
    recordings = await load(rig, its_id)
    assert rig.read[0] == 0
    assert (await recordings.execute(its_id, store_chunk(1))).events == []
    assert (await recordings.execute(its_id, store_chunk(1, b"better"))).events == [chunk(1, b"better")]
    assert (await recordings.execute(its_id, finalize(LONG))).events == [finalized(LONG)]
    await load(rig, its_id)
    assert rig.read[0] == 2


async def test_a_short_history_has_no_snapshot_and_a_longer_one_has_its_newest_only(rig):
    short, long = await recorded(rig, LONG - 1), await recorded(rig, LONG)
    for its_id in (short, long):
        await load(rig, its_id)
    assert rig.snapshots() == [(long.hex, LONG + 1)]
    recordings = await load(rig, long)
    for number in range(LONG + 1, 2 * LONG + 2):
        await recordings.execute(long, store_chunk(number))
    await load(rig, long)
    assert rig.read[0] == LONG + 1
    assert rig.snapshots() == [(long.hex, 2 * LONG + 2)]


@pytest.mark.parametrize(
    "spoiled",
    [
        "UPDATE snapshots SET state = 'not JSON'",
        "UPDATE snapshots SET state = replace(state, '\"format\":1', '\"format\":2')",
        "UPDATE snapshots SET state = replace(state, '\"ChunkStored\":', '\"ChunkStored\":9')",
        "UPDATE snapshots SET state = substr(state, 1, length(state) / 2)",
    ],
)
async def test_a_snapshot_that_cannot_be_read_is_left_aside_with_a_word_in_the_log_and_made_again(rig, spoiled, caplog):
    its_id = await recorded(rig, LONG)
    await load(rig, its_id)
    rig.spoil(spoiled)
    with caplog.at_level(logging.WARNING):
        await load(rig, its_id)
    assert rig.read[0] == LONG + 1
    line = caplog.records[0]
    assert (line.message, line.recording_id) == ("snapshot left aside; the history is folded instead", its_id.hex)
    caplog.clear()
    await load(rig, its_id)
    assert rig.read[0] == 0
    assert not caplog.records


async def test_a_snapshot_that_cannot_be_kept_or_looked_up_costs_only_time(rig, caplog):
    its_id = await recorded(rig, LONG)
    recordings = rig.restarted()
    with sqlite3.connect(rig.path) as connection:
        connection.execute("DROP TABLE snapshots")
    assert len((await recordings.find(its_id)).chunks) == LONG
    await recordings.close()
    assert [line.message for line in caplog.records] == [
        "snapshot left aside; the history is folded instead",
        "snapshot not kept",
    ]


async def test_a_deleted_recording_stays_deleted_through_a_snapshot(rig):
    its_id = await recorded(rig, LONG)
    await load(rig, its_id)
    await rig.restarted().execute(its_id, delete())
    with pytest.raises(RecordingNotFound):
        await rig.restarted().find(its_id)


async def test_the_snapshot_of_a_deleted_recording_goes_and_one_made_later_is_of_no_chunks(rig):
    its_id, other = await recorded(rig, LONG), await recorded(rig, LONG)
    for each in (its_id, other):
        await load(rig, each)
    await rig.restarted().execute(its_id, delete())
    await rig.restarted().forget_snapshot(its_id)
    assert rig.snapshots() == [(other.hex, LONG + 1)]
    recordings = rig.restarted()
    with pytest.raises(RecordingNotFound):
        await recordings.find(its_id)
    await recordings.close()
    with sqlite3.connect(rig.path) as connection:
        sizes = dict(connection.execute("SELECT originator_id, length(state) FROM snapshots"))
    assert sizes[its_id.hex] < sizes[other.hex] / 2


async def test_another_process_is_noticed_by_one_that_began_from_a_snapshot(rig, tmp_path):
    its_id = await recorded(rig, LONG)
    await load(rig, its_id)
    one, other = rig.restarted(), rig.restarted()
    await one.find(its_id)
    await other.execute(its_id, finalize(LONG))
    assert (await one.execute(its_id, finalize(LONG))).events == []
    assert (await one.find(its_id)).finalized == finalized(LONG)


async def test_closing_waits_for_a_load_whose_asker_has_gone(rig):
    its_id, recordings = await recorded(rig, 2), rig.restarted()
    begun, go_on, newest = Event(), Event(), recordings._streams._snapshots.newest

    def slowly(recording_id):
        begun.set()
        go_on.wait(60)
        return newest(recording_id)

    recordings._streams._snapshots.newest = slowly
    asking = asyncio.create_task(recordings.find(its_id))
    assert await asyncio.to_thread(begun.wait, 60)
    asking.cancel()
    closing = asyncio.create_task(recordings.close())
    closed_at_once, _ = await asyncio.wait([closing], timeout=0.2)
    go_on.set()
    await closing
    assert not closed_at_once
    assert rig.read == [3]


async def test_a_session_is_no_recording_of_its_id(rig):
    its_id = uuid4()
    await rig.log.append(its_id, 0, [histories.session_opened()], trace_id=None)
    with pytest.raises(RecordingNotFound):
        await rig.restarted().find(its_id)
