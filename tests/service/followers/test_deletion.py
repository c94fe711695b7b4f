"""Nothing stays of a deleted recording but the facts of its life."""

import asyncio
from random import Random
from uuid import uuid4

import pytest

from adapters.blobs.files.store import FileBlobStore
from adapters.claims import port
from adapters.event_log.log import EventLog
from adapters.event_log.reader import StateAt
from adapters.event_log.snapshots import SnapshotStore
from adapters.event_log.sqlite import SQLiteLogRecorder, SQLiteSnapshotRecorder
from adapters.positions import PositionStore
from domain.events import Stage
from domain.recording import Recording, fold
from service.application.blob_names import recording_prefix
from service.application.claimed_jobs import stage_job
from service.application.metrics import Metrics
from service.application.recording_snapshots import RecordingSnapshots
from service.application.recordings import Recordings
from service.followers.deletion import Deletion
from tests.domain.histories import at, chunk, deleted, opened
from tests.tools.simulation.memory_claims import MemoryClaims, MemoryLocks

KINDS = ("chunk-1-", "audio-", "details-")


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    monkeypatch.setattr(port, "LOOK_SECONDS", 0.01)


class Rig:
    """A log with deletions that are followed. `theirs`: the claims of another process."""

    def __init__(self, tmp_path):
        recorder, locks = SQLiteLogRecorder(tmp_path / "log.sqlite3"), MemoryLocks()
        self.log, self.blobs = EventLog(recorder), FileBlobStore(tmp_path / "blobs")
        self.positions = PositionStore(tmp_path / "followers.sqlite3")
        self.snapshots = RecordingSnapshots(SnapshotStore(SQLiteSnapshotRecorder(recorder)))
        self.recordings = Recordings(self.log, snapshots=self.snapshots)
        self.theirs = MemoryClaims(locks)
        self.asked_to_let_go = []
        self.has_let_go = asyncio.Event()
        self.has_let_go.set()
        self.follower = Deletion(
            claims=MemoryClaims(locks),
            let_go=self._let_go,
            log=self.log,
            recordings=self.recordings,
            blobs=self.blobs,
            positions=self.positions,
            clock=lambda: at(5),
            random=Random(1),
            metrics=Metrics(),
        )
        self._following = asyncio.create_task(self.follower.run())

    async def _let_go(self, recording_id):
        self.asked_to_let_go.append(recording_id)
        await self.has_let_go.wait()

    async def stored(self):
        its_id = uuid4()
        await self.log.append(its_id, 0, [opened(), chunk(1)], trace_id=None)
        recording = fold([opened(), chunk(1)])
        assert isinstance(recording, Recording)
        self.snapshots.keeping(its_id, StateAt(2, recording))()
        for kind in KINDS:
            self.blobs.put_bytes(recording_prefix(its_id) + kind, b"content")
        return its_id

    async def delete(self, its_id):
        await self.log.append(its_id, 2, [deleted()], trace_id=None)

    def left(self, its_id):
        return len(list(self.blobs.keys(recording_prefix(its_id))))

    async def until_settled(self):
        await until(lambda: self.positions.load(self.follower.name) >= self.log.head)

    async def close(self):
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await self.blobs.close()
        await self.log.close()
        self.positions.close()


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
async def rig(tmp_path):
    rig = Rig(tmp_path)
    yield rig
    await rig.close()


async def test_blobs_and_snapshot_go_and_other_recordings_keep_theirs(rig):
    gone, other = await rig.stored(), await rig.stored()
    await rig.delete(gone)
    await rig.until_settled()
    assert (rig.left(gone), rig.left(other)) == (0, len(KINDS))
    assert (rig.snapshots.newest(gone), rig.snapshots.newest(other) is None) == (None, False)


@pytest.mark.parametrize("stage", [Stage.STITCH, Stage.TRANSCRIBE, Stage.NOTE])
async def test_what_another_process_stores_while_it_works_on_a_recording_that_is_deleted_goes_too(rig, stage):
    gone, other = await rig.stored(), await rig.stored()
    async with rig.theirs.claim(stage_job(stage, gone)) as theirs:
        await theirs.take()
        await rig.delete(gone)
        await rig.delete(other)
        await until(lambda: not rig.left(other))  # it is not held up
        assert rig.positions.load(rig.follower.name) < rig.log.head - 1
        rig.blobs.put_bytes(recording_prefix(gone) + "audio-", b"late")
    await rig.until_settled()
    assert rig.left(gone) == 0


async def test_work_that_is_not_claimed_is_asked_to_let_go_first(rig):
    rig.has_let_go.clear()
    gone = await rig.stored()
    await rig.delete(gone)
    await until(lambda: rig.asked_to_let_go == [gone])
    assert rig.left(gone) == len(KINDS)
    rig.blobs.put_bytes(recording_prefix(gone) + "part-", b"late")
    rig.has_let_go.set()
    await rig.until_settled()
    assert rig.left(gone) == 0
