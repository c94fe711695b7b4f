"""Ordering notes beside another process: what that one has deleted gets no note, and nothing of the order stays."""

from uuid import uuid4

import pytest

from adapters.blobs.segments.store import SegmentBlobStore
from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from domain.commands import DeleteRecording
from domain.errors import RecordingNotFound
from domain.events import NoteTemplate
from service.application.blob_names import recording_prefix
from service.application.note_orders import NoteOrdering, NoteOrders
from service.application.recordings import Recordings
from tests.domain.histories import at, finalize, open_recording, store_chunk, transcribed
from tests.tools.simulation.no_quotas import NO_QUOTAS


@pytest.mark.parametrize("prompt", ["Write a letter.", None])
async def test_a_note_of_a_recording_that_another_process_has_deleted_cannot_be_ordered(tmp_path, prompt):
    logs = [EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3")) for _ in range(2)]
    blobs = SegmentBlobStore(tmp_path / "blobs")
    recordings, other = map(Recordings, logs)
    ordering = NoteOrdering(NoteOrders(logs[0]), recordings, blobs, quotas=NO_QUOTAS, clock=lambda: at(5))
    recording_id = uuid4()
    for command in (open_recording(), store_chunk(1), finalize(1)):
        await recordings.execute(recording_id, command)
    await other.execute(recording_id, DeleteRecording(at=at(4)))
    with pytest.raises(RecordingNotFound):
        await ordering.order(
            uuid4(),
            dialect="bota",
            tenant_id="proj_1",
            recording_id=recording_id,
            transcribed=transcribed(),
            template=None if prompt else NoteTemplate.GENERAL,
            prompt=prompt,
            provider=None,
        )
    assert list(blobs.keys(recording_prefix(recording_id))) == []
    await blobs.close()
    for log in logs:
        await log.close()
