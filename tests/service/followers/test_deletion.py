"""Nothing stays of a deleted recording but the facts of its life."""

import asyncio
from uuid import uuid4

from adapters.blobs.files.store import FileBlobStore
from adapters.event_log.log import EventLog
from adapters.event_log.reader import StateAt
from adapters.event_log.snapshots import SnapshotStore
from adapters.event_log.sqlite import SQLiteLogRecorder, SQLiteSnapshotRecorder
from adapters.positions import PositionStore
from domain.recording import Recording, fold
from service.application.blob_names import recording_prefix
from service.application.recording_snapshots import RecordingSnapshots
from service.application.recordings import Recordings
from service.followers.deletion import Deletion
from tests.domain.histories import chunk, deleted, opened


async def test_blobs_and_snapshot_go_and_other_recordings_keep_theirs(tmp_path):
    recorder = SQLiteLogRecorder(tmp_path / "log.sqlite3")
    log, blobs = EventLog(recorder), FileBlobStore(tmp_path / "blobs")
    positions = PositionStore(tmp_path / "followers.sqlite3")
    snapshots = RecordingSnapshots(SnapshotStore(SQLiteSnapshotRecorder(recorder)))
    recordings = Recordings(log, snapshots=snapshots)
    gone, other = uuid4(), uuid4()
    for its_id in (gone, other):
        await log.append(its_id, 0, [opened(), chunk(1)], trace_id=None)
        recording = fold([opened(), chunk(1)])
        assert isinstance(recording, Recording)
        snapshots.keeping(its_id, StateAt(2, recording))()
        for kind in ("chunk-1-", "audio-", "details-"):
            blobs.put_bytes(recording_prefix(its_id) + kind, b"content")
    await log.append(gone, 2, [deleted()], trace_id=None)
    follower = Deletion(log=log, recordings=recordings, blobs=blobs, positions=positions)
    running = asyncio.create_task(follower.run())
    async with asyncio.timeout(60):
        while positions.load(follower.name) < log.head:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [len(list(blobs.keys(recording_prefix(each)))) for each in (gone, other)] == [0, 3]
    assert (snapshots.newest(gone), snapshots.newest(other) is None) == (None, False)
    await blobs.close()
    await log.close()
    positions.close()
