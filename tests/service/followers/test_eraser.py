"""Chunks go when their retention is over, for real, and so does all of an expired recording; the histories say so."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from adapters.blobs.segments.store import SegmentBlobStore
from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.positions import PositionStore
from domain.events import ContentErased, ErasedPart, RecordingDeleted, Stitched
from service.application.blob_names import blob_prefix, recording_prefix
from service.application.erasing import Erasing
from service.application.keyed_locks import KeyedLocks
from service.application.recordings import Recordings
from service.followers.eraser import EXPIRED_RECORDINGS, STITCHED_CHUNKS, Eraser
from tests.adapters.blobs.contract import noise, streamed
from tests.domain.histories import EXPIRY, at, chunk, damaged, deleted, expired, finalized, opened, stitched
from tests.files_on_disk import content_below

RETENTION = timedelta(hours=1)


class Rig:
    """A log and a blob store, and an eraser over them whose clock the test sets."""

    def __init__(self, tmp_path):
        self.log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
        self.blobs = SegmentBlobStore(tmp_path / "blobs")
        self.positions = PositionStore(tmp_path / "followers.sqlite3")
        self.now = at(0)

    def eraser(self, erasable=STITCHED_CHUNKS, retention=RETENTION):
        erasing = Erasing(Recordings(self.log), self.blobs, settling=KeyedLocks(), clock=lambda: self.now)
        shared = {"log": self.log, "erasing": erasing, "positions": self.positions, "clock": lambda: self.now}
        return Eraser("eraser", erasable, retention, **shared)

    async def erased_up_to(self, position, **eraser):
        running = asyncio.create_task(self.eraser(**eraser).run())
        while self.positions.load("eraser") < position:
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def recorded(self, *events, number=1):
        """What is stitched is in the audio that is stored, whatever its event says."""
        its_id = uuid4()
        audio = await self.blobs.put(blob_prefix(its_id, "audio"), streamed([b"audio"]))
        there = {"blob_key": audio.key}
        events = [event.model_copy(update=there) if type(event) is Stitched else event for event in events]
        await self.log.append(its_id, 0, [opened(), chunk(1), *events], trace_id=None)
        await self.blobs.put(blob_prefix(its_id, "chunk-1"), streamed([noise(5_000, number)]))
        await self.blobs.put(blob_prefix(its_id, "details"), streamed([b"details"]))
        return its_id

    async def stitched(self, event: Stitched, number=1):
        return await self.recorded(finalized(1), event, number=number)

    def chunks(self, its_id):
        return list(self.blobs.keys(blob_prefix(its_id, "chunk")))

    async def erasures(self, its_id):
        history = [recorded.event for recorded in await self.log.history(its_id)]
        return [(event.part, event.size_bytes) for event in history if isinstance(event, ContentErased)]


@pytest.fixture
async def rig(tmp_path):
    rig = Rig(tmp_path)
    yield rig
    await rig.blobs.close()
    await rig.log.close()
    rig.positions.close()


async def test_chunks_are_erased_when_their_retention_is_over_and_not_before(rig, tmp_path):
    event = stitched()
    first = await rig.stitched(event, 1)
    second = await rig.stitched(event.model_copy(update={"at": event.at + timedelta(minutes=1)}), 2)
    rig.now = event.at + RETENTION
    await rig.erased_up_to(4)
    assert rig.chunks(first) == []
    assert len(rig.chunks(second)) == 1
    assert len(list(rig.blobs.keys(blob_prefix(first, "audio")))) == 1
    on_disk = content_below(tmp_path / "blobs")
    assert noise(5_000, 1)[:500] not in on_disk
    assert noise(5_000, 2) in on_disk
    assert await rig.erasures(first) == [(ErasedPart.CHUNKS, chunk(1).size_bytes)]
    assert await rig.erasures(second) == []


async def test_an_event_that_a_clock_far_ahead_dated_is_kept_for_the_retention_and_holds_up_no_other(rig):
    retention, event = timedelta(milliseconds=20), stitched()
    ahead = await rig.stitched(event.model_copy(update={"at": event.at + timedelta(days=365)}), 1)
    usual = await rig.stitched(event, 2)
    rig.now = event.at + retention
    erasing = asyncio.create_task(rig.erased_up_to(rig.log.head, retention=retention))
    await asyncio.sleep(2 * retention.total_seconds())
    assert len(rig.chunks(ahead)) == 1
    async with asyncio.timeout(60):
        while not erasing.done():
            rig.now += retention
            await asyncio.sleep(0.01)
    assert (rig.chunks(ahead), rig.chunks(usual)) == ([], [])
    assert rig.now < event.at + timedelta(days=1)


async def test_chunks_are_kept_while_one_of_them_is_damaged(rig):
    with_damage, whole = await rig.stitched(stitched(damaged(1)), 1), await rig.stitched(stitched(), 2)
    rig.now = at(60)
    await rig.erased_up_to(rig.log.head, retention=timedelta())
    assert (len(rig.chunks(with_damage)), rig.chunks(whole)) == (1, [])
    assert await rig.erasures(with_damage) == []


async def test_chunks_are_kept_while_their_audio_is_missing(rig):
    """As in a bucket from an older backup."""
    its_id, whole = await rig.stitched(stitched(), 1), await rig.stitched(stitched(), 2)
    await rig.blobs.erase(blob_prefix(its_id, "audio"))
    rig.now = at(60)
    await rig.erased_up_to(rig.log.head, retention=timedelta())
    assert (len(rig.chunks(its_id)), rig.chunks(whole)) == (1, [])
    assert await rig.erasures(its_id) == []


async def test_it_goes_on_where_it_was(rig):
    its_id = await rig.stitched(stitched(), 1)
    rig.positions.save("eraser", rig.log.head)
    later = await rig.stitched(stitched(), 2)
    rig.now = stitched().at
    await rig.erased_up_to(rig.log.head, retention=timedelta())
    assert rig.chunks(later) == []
    assert len(rig.chunks(its_id)) == 1


async def test_reading_everything_again_erases_and_notes_nothing_more(rig):
    its_id = await rig.stitched(stitched())
    rig.now = at(60)
    for _ in range(2):
        rig.positions.save("eraser", 0)
        await rig.erased_up_to(4, retention=timedelta())
    assert await rig.erasures(its_id) == [(ErasedPart.CHUNKS, chunk(1).size_bytes)]


async def test_what_arrived_of_an_expired_recording_is_erased_when_its_own_retention_is_over(rig):
    its_id = await rig.recorded(expired())
    rig.now = EXPIRY + RETENTION - timedelta(seconds=1)
    running = asyncio.create_task(rig.eraser(EXPIRED_RECORDINGS).run())
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(rig.chunks(its_id)) == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    rig.now = EXPIRY + RETENTION
    await rig.erased_up_to(3, erasable=EXPIRED_RECORDINGS)
    assert list(rig.blobs.keys(recording_prefix(its_id))) == []
    assert await rig.erasures(its_id) == [(ErasedPart.EVERYTHING, chunk(1).size_bytes)]


async def test_a_deleted_recording_is_left_to_its_deletion(rig):
    its_id = await rig.recorded(expired(), deleted())
    rig.now = EXPIRY + RETENTION
    await rig.erased_up_to(rig.log.head, erasable=EXPIRED_RECORDINGS)
    assert await rig.erasures(its_id) == []
    assert isinstance((await rig.log.history(its_id))[-1].event, RecordingDeleted)
