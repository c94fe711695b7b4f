"""Bytes that the log has for stored and that are missing, as in a store from an older backup, and come again."""

import asyncio
import hashlib
from datetime import timedelta
from uuid import uuid4

import pytest

from adapters.blobs.port import BlobNotFound
from adapters.blobs.segments.store import SegmentBlobStore
from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from domain.errors import RecordingExpired, RecordingNotFound
from domain.events import ErasedPart, FinalizePolicy, RecordingKind
from service.application.keyed_locks import KeyedLocks
from service.application.metrics import Metrics
from service.application.recordings import Recordings
from service.application.uploads import Announcement, ArrivedChunk, Uploads
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

    async def append(self, body, *, is_named):
        announced = Announcement(
            recording_id=self.its_id,
            dialect="dorsum",
            tenant_id="tenant",
            external_id="external",
            kind=RecordingKind.SAMPLES,
            finalize_policy=FinalizePolicy.REJECT,
            max_chunks=10,
            window=timedelta(hours=1),
        )
        arrived = ArrivedChunk(
            content=body,
            sha256=hashlib.sha256(body).hexdigest(),
            request_sha256="0" * 64,
            request_is_named=is_named,
            is_last=False,
        )
        return (await self._uploads.append(announced, arrived)).chunk

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


@pytest.mark.parametrize("is_named", [False, True])
async def test_so_are_those_of_a_request_that_is_repeated_without_a_number(rig, is_named):
    rig.its_id = uuid4()
    stored = await rig.append(b"samples", is_named=is_named)
    await rig.blobs.delete(stored.blob_key)
    head = await rig.log.newest_head()
    assert await rig.append(b"samples", is_named=is_named) == stored
    assert await whole(rig.blobs, stored.blob_key) == b"samples"
    assert await rig.log.newest_head() == head


async def test_bytes_that_are_stored_again_are_complete_though_their_client_has_gone(rig, monkeypatch):
    body = noise(min(SIZES), 1)
    key = await rig.send(body)
    await rig.blobs.delete(key)
    look, sending = rig.blobs.size, asyncio.current_task()

    async def client_goes(asked):
        try:
            return await look(asked)
        finally:
            asyncio.get_running_loop().call_soon(sending.cancel)

    sending = asyncio.create_task(rig.send(body))
    monkeypatch.setattr(rig.blobs, "size", client_goes)
    await asyncio.wait([sending])
    assert sending.cancelled()
    async with asyncio.timeout(60):
        while not await is_there(rig.blobs, key):
            await asyncio.sleep(0.01)
    assert await whole(rig.blobs, key) == body


async def is_there(blobs, key):
    return key in await asyncio.to_thread(lambda: list(blobs.keys()))


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
