"""Uploads through several processes' parts over one event log and one blob store: any request may meet any of them.

Each has its own memory of the recordings. What two of them do with equal bytes at the same moment is kept apart by one
`KeyedLocks`, as within one process.
"""

import asyncio
import hashlib
from contextlib import suppress
from datetime import timedelta
from functools import partial
from random import Random
from uuid import uuid4

import pytest

from adapters.blobs.segments.store import SegmentBlobStore
from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from domain.errors import RecordingError, RecordingExpired, RecordingTooLarge
from domain.events import ChunkStored, FinalizePolicy, FinalizeRequested, RecordingKind
from service.application.blob_names import blob_prefix
from service.application.erasing import Erasing
from service.application.keyed_locks import KeyedLocks
from service.application.metrics import Metrics
from service.application.recordings import Recordings
from service.application.streams import Contended
from service.application.uploads import Announcement, ArrivedChunk, Uploads
from tests.adapters.blobs.contract import noise, streamed, whole
from tests.domain.histories import at
from tests.tools.simulation.no_quotas import NO_QUOTAS

PROCESSES = 3
MOST_BYTES = 1_000_000


class Process:
    """What one process has of its own, at a time that the test sets."""

    def __init__(self, folder, settling, clock):
        self.log = EventLog(SQLiteLogRecorder(folder / "log.sqlite3"))
        self.blobs = SegmentBlobStore(folder / "blobs", segment_bytes=64 * 1024)
        self.recordings = Recordings(self.log)
        self.uploads = Uploads(
            self.recordings,
            self.blobs,
            quotas=NO_QUOTAS,
            clock=clock,
            metrics=Metrics(),
            settling=settling,
            most_bytes=MOST_BYTES,
        )
        self.erasing = Erasing(self.recordings, self.blobs, settling=settling, clock=clock)

    async def close(self):
        await self.recordings.close()
        await self.blobs.close()
        await self.log.close()


class Rig:
    """All of them."""

    def __init__(self, folder):
        self.now = at(1)
        settling = KeyedLocks()
        self.processes = [Process(folder, settling, lambda: self.now) for _ in range(PROCESSES)]

    async def history(self, recording_id):
        return [recorded.event for recorded in await self.processes[0].log.history(recording_id)]


@pytest.fixture
async def rig(tmp_path):
    rig = Rig(tmp_path)
    yield rig
    for process in rig.processes:
        await process.close()


def announced(kind=RecordingKind.STREAMED):
    return Announcement(
        recording_id=uuid4(),
        dialect="bota",
        tenant_id="proj_1",
        external_id="visit-1",
        kind=kind,
        finalize_policy=FinalizePolicy.REJECT,
        max_chunks=100,
        window=timedelta(hours=4),
    )


def arrived(body, request):
    return ArrivedChunk(
        content=body,
        sha256=hashlib.sha256(body).hexdigest(),
        request_sha256=hashlib.sha256(request.encode()).hexdigest(),
        request_is_named=False,
        is_last=False,
    )


async def test_a_request_that_is_no_repetition_any_more_brings_a_chunk_with_its_true_digests(rig):
    one, other, _ = rig.processes
    opening, body = announced(RecordingKind.SAMPLES), noise(3_000, 1)
    await one.uploads.append(opening, arrived(body, "first"))
    await other.uploads.append(opening, arrived(noise(3_000, 2), "second"))
    appended = await one.uploads.append(opening, arrived(body, "first"))
    assert (appended.chunk.number, appended.chunk.md5) == (3, hashlib.md5(body).hexdigest())
    assert await whole(other.blobs, appended.chunk.blob_key) == body


async def test_a_process_that_refuses_a_chunk_leaves_the_bytes_that_another_one_has_accepted(rig):
    one, other, _ = rig.processes
    opening, body = announced(RecordingKind.SAMPLES), noise(3_000, 3)
    await one.uploads.append(opening, arrived(noise(3_000, 1), "first"))
    await other.uploads.append(opening, arrived(noise(3_000, 2), "second"))
    accepted = await one.uploads.append(opening, arrived(body, "third"))
    rig.now += timedelta(hours=5)
    with pytest.raises(RecordingExpired):
        await other.uploads.append(opening, arrived(body, "third"))
    assert await whole(one.blobs, accepted.chunk.blob_key) == body


async def test_there_is_room_again_once_another_process_has_replaced_a_large_chunk_by_a_small_one(rig):
    one, other, _ = rig.processes
    opening, small = announced(), [noise(1_000, 1)]
    its_id, large = opening.recording_id, [noise(MOST_BYTES - 10, 1)]
    await one.uploads.store_chunk(its_id, 1, streamed(large), opening=opening)
    with pytest.raises(RecordingTooLarge):
        await one.uploads.store_chunk(its_id, 2, streamed(small), announced_bytes=1_000)
    await other.uploads.store_chunk(its_id, 1, streamed(small), opening=opening)
    await one.uploads.store_chunk(its_id, 2, streamed(small), announced_bytes=1_000)
    assert (await one.recordings.newest(its_id)).chunks.size_bytes == 2_000


async def retried(request):
    """As clients do, who are told that too many change the recording at once."""
    while True:
        with suppress(Contended):
            return await request()


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_clients_send_at_once_and_whoever_erases_meanwhile_what_was_answered_is_there(rig, seed):
    random, opening = Random(seed), announced()
    its_id, last, begun_at = opening.recording_id, {}, {}

    async def upload(process, number, body):
        begun_at[number] = rig.now
        return await process.uploads.store_chunk(its_id, number, streamed([body]), opening=opening)

    def past():
        """A time before which every command that is not decided yet was given: shorter is no retention."""
        return min([rig.now, *begun_at.values()]) - timedelta(seconds=1)

    async def client(numbers):
        for _ in range(25):
            number, body = random.choice(numbers), noise(random.choice([40, 3_000, 20_000]), random.randrange(3))
            stored = await retried(partial(upload, random.choice(rig.processes), number, body))
            last[number] = stored.key, body
            del begun_at[number]
            rig.now += timedelta(seconds=1)

    async def eraser():
        while not uploaded.done():
            erase = random.choice(rig.processes).erasing.erase_superseded
            await retried(partial(erase, its_id, until=past()))
            await asyncio.sleep(0)

    uploaded = asyncio.gather(*(client(range(begin, 13, 3)) for begin in (1, 2, 3)))
    await asyncio.gather(uploaded, eraser())
    total = max(last)
    complete = sorted(last) == list(range(1, total + 1))
    answers = await asyncio.gather(
        *(retried(partial(each.uploads.finalize, its_id, total_chunks=total)) for each in rig.processes * 2),
        return_exceptions=True,
    )
    assert len({type(answer) for answer in answers}) == 1
    assert isinstance(answers[0], RecordingError) != complete
    history = await rig.history(its_id)
    assert sum(type(event) is FinalizeRequested for event in history) == complete
    newest = {event.number: event.blob_key for event in history if type(event) is ChunkStored}
    assert newest == {number: key for number, (key, _) in last.items()}
    for process in rig.processes:
        assert (await process.recordings.newest(its_id)).chunks.highest == total
        for key, body in last.values():
            assert await whole(process.blobs, key) == body
    rig.now += timedelta(hours=1)
    await rig.processes[0].erasing.erase_superseded(its_id, until=past())
    assert set(rig.processes[1].blobs.keys(blob_prefix(its_id, "chunk"))) == set(newest.values())
