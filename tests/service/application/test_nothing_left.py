"""Of what is refused, or comes after everything was erased, no bytes stay."""

import asyncio
import hashlib
from contextlib import nullcontext
from datetime import timedelta
from uuid import uuid4

import pytest

from adapters.blobs.segments.store import SegmentBlobStore
from adapters.event_log.log import EventLog
from adapters.event_log.port import LogUnavailable
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.speech.transcript import Transcript
from domain.commands import DeleteRecording, ExpireRecording
from domain.errors import RecordingNotFound, RecordingTooLarge
from domain.events import ErasedPart, FinalizePolicy, RecordingKind
from service.application.blob_names import recording_prefix
from service.application.consultations import Consultations
from service.application.erasing import Erasing
from service.application.keyed_locks import KeyedLocks
from service.application.metrics import Metrics
from service.application.recordings import Recordings
from service.application.uploads import Announcement, ArrivedChunk, Uploads
from tests.domain.histories import at
from tests.tools.simulation.no_quotas import NO_QUOTAS

WINDOW = timedelta(hours=4)
BODY = bytes(11)
CHUNK = ArrivedChunk(
    content=BODY,
    sha256=hashlib.sha256(BODY).hexdigest(),
    request_sha256="0" * 64,
    request_is_named=False,
    is_last=False,
)


class Rig:
    """Uploads over a real log and a real blob store, at a time that the test sets."""

    def __init__(self, tmp_path):
        self.log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
        self.blobs = SegmentBlobStore(tmp_path / "blobs")
        self.recordings = Recordings(self.log)
        self.settling = KeyedLocks()
        self.now = at(1)
        self.announced = Announcement(
            recording_id=uuid4(),
            dialect="dorsum",
            tenant_id="proj_1",
            external_id="visit-1",
            kind=RecordingKind.SAMPLES,
            finalize_policy=FinalizePolicy.REJECT,
            max_chunks=10,
            window=WINDOW,
        )

    def clock(self):
        return self.now

    def uploads(self, most_bytes=None):
        return Uploads(
            self.recordings,
            self.blobs,
            quotas=NO_QUOTAS,
            clock=self.clock,
            metrics=Metrics(),
            settling=self.settling,
            most_bytes=most_bytes,
        )

    def keys(self):
        return list(self.blobs.keys(recording_prefix(self.announced.recording_id)))


@pytest.fixture
async def rig(tmp_path):
    rig = Rig(tmp_path)
    yield rig
    await rig.blobs.close()
    await rig.log.close()


async def test_a_first_chunk_that_is_larger_than_a_recording_may_be_leaves_no_bytes(rig):
    with pytest.raises(RecordingTooLarge):
        await rig.uploads(most_bytes=len(BODY) - 1).append(rig.announced, CHUNK)
    assert rig.keys() == []


async def _large():
    yield bytes(300_000)


async def test_what_comes_for_a_deleted_recording_leaves_no_bytes_although_the_log_cannot_be_read(rig, monkeypatch):
    uploads, its_id = rig.uploads(), rig.announced.recording_id
    await uploads.open(rig.announced)
    await rig.recordings.execute(its_id, DeleteRecording(at=at(2)))

    async def away(_):
        raise LogUnavailable("it is away")

    monkeypatch.setattr(rig.recordings, "newest", away)
    with pytest.raises(RecordingNotFound):
        await uploads.append(rig.announced, CHUNK)
    with pytest.raises(RecordingNotFound):
        await uploads.store_chunk(its_id, 1, _large(), tenant_id="proj_1")
    assert rig.keys() == []


class RecognizedTooLate:
    """Recognition that ends when its session has expired and was erased."""

    def __init__(self, rig):
        self._rig = rig

    def place(self, _):
        return nullcontext()

    async def transcribe_chunk(self, _, *, project, language, prefix):  # noqa: ARG002 - as it is called
        rig, its_id = self._rig, self._rig.announced.recording_id
        rig.now += WINDOW
        await rig.recordings.execute(its_id, ExpireRecording(at=rig.now))
        erasing = Erasing(rig.recordings, rig.blobs, settling=rig.settling, clock=rig.clock)
        assert await erasing.erase(its_id, ErasedPart.EVERYTHING) == 1
        words = Transcript(text="", language="en", engine="test", provider=None, duration_ms=0, segments=())
        return await asyncio.to_thread(rig.blobs.put_bytes, prefix, words.to_json()), words


async def test_words_that_are_recognized_after_their_session_was_erased_are_erased_too(rig):
    consultations = Consultations(
        rig.recordings,
        rig.uploads(),
        rig.blobs,
        RecognizedTooLate(rig),
        waker=None,
        answer_within=timedelta(minutes=1),
        clock=rig.clock,
    )
    await consultations.take(rig.announced, CHUNK, language="en")
    assert (await rig.recordings.find(rig.announced.recording_id)).erased is ErasedPart.EVERYTHING
    assert rig.keys() == []
