"""Bytes that the log has for stored and that are missing, as in a store from an older backup, and come again."""

from uuid import uuid4

import pytest

from adapters.blobs.port import BlobNotFound
from adapters.blobs.segments.store import SegmentBlobStore
from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from domain.errors import RecordingExpired, RecordingNotFound
from domain.events import ErasedPart
from service.application.keyed_locks import KeyedLocks
from service.application.metrics import Metrics
from service.application.recordings import Recordings
from service.application.uploads import Uploads
from tests.adapters.blobs.contract import noise, streamed, whole
from tests.domain.histories import EXPIRY, delete, erase, expire, open_recording
from tests.tools.simulation.no_quotas import NO_QUOTAS

SIZES = (1_000, 300_000)
"""A small one becomes durable with its event, a large one is a blob before it."""


class Rig:
    def __init__(self, folder):
        self.log = EventLog(SQLiteLogRecorder(folder / "log.sqlite3"))
        self.blobs = SegmentBlobStore(folder / "blobs")
        self.recordings = Recordings(self.log)
        self._uploads = Uploads(
            self.recordings,
            self.blobs,
            quotas=NO_QUOTAS,
            clock=lambda: EXPIRY,
            metrics=Metrics(),
            settling=KeyedLocks(),
        )
        self.its_id = uuid4()

    async def send(self, body):
        return (await self._uploads.store_chunk(self.its_id, 1, streamed([body]))).key

    async def do(self, command):
        await self.recordings.execute(self.its_id, command)


@pytest.fixture
async def rig(tmp_path):
    rig = Rig(tmp_path)
    await rig.do(open_recording(expires_at=EXPIRY.replace(year=EXPIRY.year + 1)))
    yield rig
    await rig.recordings.close()
    await rig.log.close()
    await rig.blobs.close()


@pytest.mark.parametrize("size", SIZES)
async def test_they_are_stored_again_before_the_answer_and_no_event_is_added(rig, size):
    body = noise(size, 1)
    key = await rig.send(body)
    await rig.blobs.delete(key)
    head = await rig.log.newest_head()
    assert await rig.send(body) == key
    assert await whole(rig.blobs, key) == body
    assert await rig.log.newest_head() == head


async def test_if_the_recording_is_deleted_meanwhile_nothing_of_them_stays(rig, monkeypatch):
    body = noise(min(SIZES), 1)
    key = await rig.send(body)
    await rig.blobs.delete(key)
    look = rig.blobs.size

    async def deleted_meanwhile(asked):
        try:
            return await look(asked)
        except BlobNotFound:
            monkeypatch.undo()
            await rig.do(delete())
            raise

    monkeypatch.setattr(rig.blobs, "size", deleted_meanwhile)
    await rig.send(body)
    with pytest.raises(RecordingNotFound):
        await rig.recordings.find(rig.its_id)
    assert list(rig.blobs.keys()) == []


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_erased_is_not_stored_again(rig, size):
    body = noise(size, 1)
    key = await rig.send(body)
    await rig.do(expire(EXPIRY.replace(year=EXPIRY.year + 1)))
    await rig.do(erase(ErasedPart.EVERYTHING))
    await rig.blobs.delete(key)
    with pytest.raises(RecordingExpired):
        await rig.send(body)
    assert list(rig.blobs.keys()) == []
