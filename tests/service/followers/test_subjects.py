"""What clients know a recording by is known for each of its events, at the cost of few reads of the log."""

from uuid import uuid4

import pytest

from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from service.dialects.registry import client_ids_of
from service.followers.subjects import Subjects
from tests.domain.histories import chunk, deleted, finalized, opened, session_ended, session_opened


class CountedLog(EventLog):
    """Counts what is looked up beside the reading in order."""

    def __init__(self, path):
        super().__init__(SQLiteLogRecorder(path))
        self.reads = []

    async def first_events(self, stream_ids):
        self.reads.append(len(stream_ids))
        return await super().first_events(stream_ids)


@pytest.fixture
async def log(tmp_path):
    log = CountedLog(tmp_path / "log.sqlite3")
    yield log
    await log.close()


async def stored(log, *events):
    its_id = uuid4()
    await log.append(its_id, 0, events, trace_id=None)
    return its_id


async def test_each_dialect_names_what_came_by_it_in_its_own_words(log):
    bota = await stored(log, opened(dialect="bota"), chunk(1))
    await stored(log, opened(dialect="dragon", external_id="visit-7/12"))
    await stored(log, opened(dialect="dorsum", external_id="0b7a1bd2-9e35-4e0f-8f53-0f6f4d0a4f11"))
    await stored(log, session_opened(correlation_id="visit-7"), session_ended())
    await stored(log, opened(dialect="of tomorrow"))
    assert await Subjects(log, client_ids_of, {}).of(await log.read(after=0)) == [
        *[{"recording_id": f"rec_{bota.hex}", "transcription_id": f"txn_{bota.hex}"}] * 2,
        {"correlationId": "visit-7", "recordingId": "12"},
        {"session_id": "0b7a1bd2-9e35-4e0f-8f53-0f6f4d0a4f11"},
        *[{"correlationId": "visit-7"}] * 2,
        {},
    ]
    assert log.reads == []


async def test_from_the_middle_of_the_log_each_first_event_is_read_once_and_all_of_a_batch_together(log):
    for _ in range(5):
        await stored(log, opened(), chunk(1), chunk(2), finalized(2), deleted())
    events = await log.read(after=0)
    whole = await Subjects(log, client_ids_of, {}).of(events)
    later = [(recorded, ids) for recorded, ids in zip(events, whole, strict=True) if recorded.version > 1]
    from_the_middle = Subjects(log, client_ids_of, {})
    for start in range(0, len(later), 10):
        batch = later[start : start + 10]
        assert await from_the_middle.of([recorded for recorded, _ in batch]) == [ids for _, ids in batch]
    assert log.reads == [3, 2]


async def test_only_so_many_are_remembered_and_those_used_last(log):
    ids = [await stored(log, opened(), chunk(1), chunk(2)) for _ in range(3)]
    of = {(recorded.stream_id, recorded.version): recorded for recorded in await log.read(after=0)}
    client_ids = Subjects(log, client_ids_of, {}, remembered=2)
    for turn, version in [(0, 1), (1, 1), (0, 2), (2, 1), (0, 3), (1, 2)]:
        (found,) = await client_ids.of([of[ids[turn], version]])
        assert found["recording_id"] == f"rec_{ids[turn].hex}"
    assert log.reads == [1]  # of the one that was let go
    assert await client_ids.of(list(of.values()))  # a batch of more than are remembered
