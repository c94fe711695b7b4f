"""Superseded bytes go some time after others took their place; what is in use, or in use again, stays."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from adapters.blobs.segments.store import SegmentBlobStore
from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.positions import PositionStore
from domain.commands import RecordStitched, RecordTranscribed, RequestTranscription
from domain.events import ContentErased, ErasedPart
from service.application import clock
from service.application.blob_names import blob_prefix, made_prefix
from service.application.erasing import Erasing
from service.application.keyed_locks import KeyedLocks
from service.application.metrics import Metrics
from service.application.recordings import Recordings
from service.application.uploads import Uploads
from service.followers.superseded_eraser import SHORTEST_RETENTION, SupersededEraser
from tests.adapters.blobs.contract import noise, streamed
from tests.domain.histories import (
    STITCHED_FACTS,
    TRANSCRIBED_FACTS,
    at,
    finalize,
    finalized,
    open_recording,
    opened,
    stitched,
)
from tests.files_on_disk import content_below
from tests.tools.simulation.no_quotas import NO_QUOTAS

RETENTION = timedelta(hours=2)


class Rig:
    """Uploads as the service takes them, at a time that the test sets; and the follower that erases behind them."""

    def __init__(self, tmp_path):
        self.folder = tmp_path
        self.log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
        self.blobs = SegmentBlobStore(tmp_path / "blobs")
        self.positions = PositionStore(tmp_path / "followers.sqlite3")
        self.now = at(1)
        self.recordings, self.settling = Recordings(self.log), KeyedLocks()
        self.uploads = Uploads(
            self.recordings,
            self.blobs,
            quotas=NO_QUOTAS,
            clock=self.clock,
            metrics=Metrics(),
            settling=self.settling,
        )
        self.erasing = Erasing(self.recordings, self.blobs, settling=self.settling, clock=self.clock)

    def clock(self):
        return self.now

    async def opened(self):
        its_id = uuid4()
        await self.recordings.execute(its_id, open_recording())
        return its_id

    async def store(self, its_id, body, number=1):
        return (await self.uploads.store_chunk(its_id, number, streamed([body]))).key

    async def made(self, its_id, command, kind, edition=0):
        """A stage has ended, with a blob of its own."""
        blob = await asyncio.to_thread(self.blobs.put_bytes, made_prefix(its_id, kind, edition), b"of %d" % edition)
        facts = {
            "at": self.now,
            "blob_key": blob.key,
            "size_bytes": blob.size_bytes,
            "sha256": blob.sha256,
            "edition": edition,
        }
        await self.recordings.execute(its_id, command(facts))
        return blob.key

    async def erase_all_that_is_due(self, retention=RETENTION):
        """Let the follower read what the log has by now."""
        head = self.log.head
        eraser = SupersededEraser(
            retention, log=self.log, erasing=self.erasing, positions=self.positions, clock=lambda: self.now
        )
        running = asyncio.create_task(eraser.run())
        async with asyncio.timeout(60):
            while self.positions.load(eraser.name) < head:
                await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    def keys(self, its_id, kind="chunk"):
        return set(self.blobs.keys(blob_prefix(its_id, kind)))

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


def stitched_with(facts):
    return RecordStitched(**STITCHED_FACTS | facts)


def transcribed_with(facts):
    return RecordTranscribed(**TRANSCRIBED_FACTS | facts)


async def test_replaced_chunks_are_erased_together_and_in_one_event(rig):
    its_id = await rig.opened()
    for number in range(50):
        newest = await rig.store(its_id, noise(1_000, number))
    rig.now += RETENTION
    await rig.erase_all_that_is_due()
    assert rig.keys(its_id) == {newest}
    assert await rig.erasures(its_id) == [(ErasedPart.SUPERSEDED, 49_000)]
    on_disk = content_below(rig.folder / "blobs")
    assert not any(noise(1_000, number)[:200] in on_disk for number in range(49))
    recording = await rig.recordings.find(its_id)
    assert (recording.kept_bytes, len(recording.superseded)) == (1_000, 0)


async def test_what_another_process_replaced_is_erased_and_what_it_stored_again_stays(rig):
    other_log = EventLog(SQLiteLogRecorder(rig.folder / "log.sqlite3"))
    other = Uploads(
        Recordings(other_log), rig.blobs, quotas=NO_QUOTAS, clock=rig.clock, metrics=Metrics(), settling=rig.settling
    )
    replaced, again = await rig.opened(), await rig.opened()
    for its_id, bodies in ((replaced, [b"first"]), (again, [b"first", b"second"])):
        for body in bodies:
            await rig.store(its_id, body)
    newest = {
        its_id: (await other.store_chunk(its_id, 1, streamed([body]))).key
        for its_id, body in ((replaced, b"second"), (again, b"first"))
    }
    rig.now += RETENTION
    await rig.log.refresh_head()
    await rig.erase_all_that_is_due()
    assert {its_id: rig.keys(its_id) for its_id in newest} == {its_id: {key} for its_id, key in newest.items()}
    await other_log.close()


async def test_what_was_superseded_later_stays_until_its_own_time(rig):
    its_id = await rig.opened()
    await rig.store(its_id, b"first")
    await rig.store(its_id, b"second")
    rig.now += RETENTION - timedelta(minutes=1)
    third = await rig.store(its_id, b"third")
    rig.now += timedelta(minutes=1)
    erasing = asyncio.create_task(rig.erase_all_that_is_due())
    async with asyncio.timeout(60):
        while not await rig.erasures(its_id):
            await asyncio.sleep(0)
    assert len(rig.keys(its_id)) == 2
    rig.now += RETENTION
    erasing.cancel()
    await asyncio.gather(erasing, return_exceptions=True)
    await rig.erase_all_that_is_due()
    assert rig.keys(its_id) == {third}
    assert await rig.erasures(its_id) == [(ErasedPart.SUPERSEDED, 5), (ErasedPart.SUPERSEDED, 6)]


async def test_bytes_that_came_back_into_use_stay_and_are_counted_as_kept_once(rig):
    its_id = await rig.opened()
    for body in (b"one", b"other", b"one"):
        newest = await rig.store(its_id, body)
    assert (await rig.recordings.find(its_id)).kept_bytes == len(b"one" + b"other" + b"one")
    rig.now += RETENTION
    await rig.erase_all_that_is_due()
    assert rig.keys(its_id) == {newest}
    assert await rig.erasures(its_id) == [(ErasedPart.SUPERSEDED, 8)]
    assert (await rig.recordings.find(its_id)).kept_bytes == 3


async def test_bytes_that_come_back_while_they_are_erased_are_stored(rig, monkeypatch):
    its_id = await rig.opened()
    await rig.store(its_id, b"one")
    await rig.store(its_id, b"other")
    rig.now += RETENTION
    erase_keys, again, asked = rig.blobs.erase_keys, [], asked_for(rig.settling, monkeypatch)

    async def erase_while_they_come_back(keys):
        again.append(asyncio.create_task(rig.store(its_id, b"one")))
        while asked.count(keys[0]) < len(["who erases", "who stores"]) and not again[0].done():
            await asyncio.sleep(0)
        await erase_keys(keys)

    monkeypatch.setattr(rig.blobs, "erase_keys", erase_while_they_come_back)
    await rig.erasing.erase_superseded(its_id, until=rig.now - RETENTION)
    key = await again[0]
    assert b"".join([block async for block in rig.blobs.read(key)]) == b"one"


async def test_bytes_that_came_back_while_their_lock_was_waited_for_stay(rig, monkeypatch):
    its_id = await rig.opened()
    key = await rig.store(its_id, b"one")
    await rig.store(its_id, b"other")
    rig.now += RETENTION
    async with rig.settling.of(key):  # as who stores them has it
        asked = asked_for(rig.settling, monkeypatch)
        erasing = asyncio.create_task(rig.erasing.erase_superseded(its_id, until=rig.now - RETENTION))
        while key not in asked:
            await asyncio.sleep(0)
        async with rig.blobs.stage(blob_prefix(its_id, "chunk-1"), streamed([b"one"])) as staged:
            await rig.uploads._record(its_id, 1, staged, None, None)
    await erasing
    assert b"".join([block async for block in rig.blobs.read(key)]) == b"one"


def asked_for(locks, monkeypatch):
    """The keys whose locks are asked for from now on."""
    of, asked = locks.of, []

    def noted(key):
        asked.append(key)
        return of(key)

    monkeypatch.setattr(locks, "of", noted)
    return asked


async def test_a_transcript_in_an_older_language_is_erased_and_so_is_one_that_came_too_late(rig):
    its_id = await rig.opened()
    await rig.store(its_id, b"one")
    await rig.recordings.execute(its_id, finalize(1))
    audio = await rig.made(its_id, stitched_with, "audio")
    await rig.made(its_id, transcribed_with, "transcript")
    wish = RequestTranscription(at=rig.now, language="de", provider=None, language_otherwise="en")
    await rig.recordings.execute(its_id, wish)
    await asyncio.to_thread(rig.blobs.put_bytes, made_prefix(its_id, "transcript", 0), b"too late")
    german = await rig.made(its_id, lambda facts: transcribed_with(facts | {"language": "de"}), "transcript", 1)
    assert len(rig.keys(its_id, "transcript")) == 3
    rig.now += RETENTION
    await rig.erase_all_that_is_due()
    assert rig.keys(its_id, "transcript") == {german}
    assert rig.keys(its_id, "audio") == {audio}
    assert len(rig.keys(its_id)) == 1
    assert await rig.erasures(its_id) == [(ErasedPart.SUPERSEDED, len(b"of 0"))]


async def test_what_was_superseded_under_a_clock_that_was_ahead_holds_up_no_other_recording(rig, monkeypatch):
    monkeypatch.setattr(clock, "LONGEST_SLEEP", timedelta())
    ahead, usual, now = await rig.opened(), await rig.opened(), rig.now
    rig.now += timedelta(hours=3)
    await rig.store(ahead, b"one")
    await rig.store(ahead, b"other")
    rig.now = now
    await rig.store(usual, b"one")
    newest = await rig.store(usual, b"other")
    erasing = asyncio.create_task(rig.erase_all_that_is_due(timedelta()))
    async with asyncio.timeout(60):
        while not erasing.done() and rig.now < now + timedelta(hours=2):
            rig.now += SHORTEST_RETENTION
            await asyncio.sleep(0.001)
    await erasing
    assert rig.keys(usual) == {newest}
    assert len(rig.keys(ahead)) == 2
    rig.now = now + timedelta(hours=3, minutes=30)
    await rig.store(ahead, b"third")
    rig.now += SHORTEST_RETENTION
    await rig.erase_all_that_is_due(timedelta())
    assert len(rig.keys(ahead)) == 1


async def test_without_a_retention_they_are_kept_for_a_minute(rig):
    its_id = await rig.opened()
    await rig.store(its_id, b"one")
    await rig.store(its_id, b"other")
    rig.now += SHORTEST_RETENTION
    await rig.erase_all_that_is_due(timedelta())
    assert len(rig.keys(its_id)) == 1


async def test_recordings_of_which_nothing_was_superseded_have_nothing_noted(rig):
    its_id = uuid4()
    await rig.log.append(its_id, 0, [opened(), finalized(1), stitched()], trace_id=None)
    other = await rig.opened()
    await rig.store(other, b"one")
    rig.now += RETENTION
    await rig.erase_all_that_is_due()
    assert await rig.erasures(its_id) == await rig.erasures(other) == []
