import asyncio
import gc
from contextlib import suppress
from uuid import uuid4

import pytest

from adapters.event_log.log import EventLog
from adapters.event_log.port import LogFull, LogUnavailable
from adapters.event_log.sqlite import SQLiteLogRecorder
from domain.errors import ChunkBeyondTotal, ChunkMismatch, RecordingNotFound
from domain.events import FinalizeRequested
from service.application.recordings import Outcome, Recordings
from service.application.streams import Contended
from tests.domain.histories import chunk, delete, finalize, finalized, open_recording, opened, store_chunk


@pytest.fixture
def recorder(tmp_path):
    return SQLiteLogRecorder(tmp_path / "log.sqlite3")


@pytest.fixture
async def log(recorder):
    log = EventLog(recorder)
    yield log
    await log.close()


@pytest.fixture
def recordings(log):
    return Recordings(log)


@pytest.fixture
async def other_log(tmp_path):
    """The same log, as another process has it."""
    log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
    yield log
    await log.close()


@pytest.fixture
def other(other_log):
    return Recordings(other_log)


@pytest.fixture
def shared(log):
    """Recordings that know of the other process."""
    return Recordings(log, is_shared=True)


async def events_of(log, its_id):
    return [recorded.event for recorded in await log.history(its_id)]


async def test_a_command_is_answered_when_its_events_are_in_the_log(log, recordings):
    its_id = uuid4()
    outcome = await recordings.execute(its_id, open_recording(), trace_id="t")
    assert outcome.events == [opened()]
    assert await events_of(log, its_id) == [opened()]


async def test_a_recording_is_folded_from_the_log_after_a_restart(log, recordings):
    its_id = uuid4()
    for command in (open_recording(), store_chunk(1), store_chunk(2)):
        await recordings.execute(its_id, command)
    restarted = Recordings(log)
    assert dict((await restarted.find(its_id)).chunks) == {1: chunk(1), 2: chunk(2)}
    assert (await restarted.execute(its_id, finalize(2))).events == [finalized(2)]


async def test_what_was_never_opened_is_not_found(recordings):
    with pytest.raises(RecordingNotFound):
        await recordings.find(uuid4())
    with pytest.raises(RecordingNotFound):
        await recordings.execute(uuid4(), store_chunk(1))


async def test_chunks_of_one_recording_that_come_together_share_commits(log, recordings):
    its_id, commits = uuid4(), []
    log._on_commit = lambda _, events: commits.append(events)
    await recordings.execute(its_id, open_recording())
    await asyncio.gather(*(recordings.execute(its_id, store_chunk(number)) for number in range(1, 51)))
    assert sum(commits) == 51
    assert len(commits) < 10


async def test_fifty_finalizes_at_once_record_one(log, recordings):
    its_id = uuid4()
    await recordings.execute(its_id, open_recording())
    await recordings.execute(its_id, store_chunk(1))
    outcomes = await asyncio.gather(*(recordings.execute(its_id, finalize(1)) for _ in range(50)))
    assert len({outcome.state.finalized for outcome in outcomes}) == 1
    assert [type(event) for event in await events_of(log, its_id)].count(FinalizeRequested) == 1


async def test_what_is_in_the_log_is_known_in_memory_while_more_is_on_its_way(log, recordings):
    its_id = uuid4()
    await recordings.execute(its_id, open_recording())
    await recordings.execute(its_id, store_chunk(1))
    more = asyncio.create_task(recordings.execute(its_id, store_chunk(2)))
    await asyncio.sleep(0)
    assert dict(recordings.in_memory(its_id, at_least=2).chunks) == {1: chunk(1)}
    assert recordings.in_memory(its_id, at_least=3) is None
    await more
    assert dict(recordings.in_memory(its_id, at_least=3).chunks) == {1: chunk(1), 2: chunk(2)}
    assert recordings.in_memory(uuid4(), at_least=0) is None


async def test_a_follower_that_a_commit_wakes_finds_in_memory_what_was_committed(log, recordings):
    """Else it starts a job for each of these chunks, to look into the log."""
    its_id, found = uuid4(), []

    async def follow():
        async for events in log.follow(after=0):
            found.extend(recordings.in_memory(its_id, at_least=recorded.version) is not None for recorded in events)
            if len(found) == 3:
                return

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    commands = (open_recording(), store_chunk(1), store_chunk(2))
    await asyncio.gather(*(recordings.execute(its_id, command) for command in commands))
    await following
    assert found == [True] * 3


async def test_another_process_is_noticed_and_the_command_decided_again(log, recordings, other):
    its_id = uuid4()
    await recordings.execute(its_id, open_recording())
    for number in range(1, 4):
        await other.execute(its_id, store_chunk(number))
    assert (await recordings.execute(its_id, store_chunk(4))).events == [chunk(4)]
    await other.execute(its_id, finalize(4))
    with pytest.raises(ChunkBeyondTotal):
        await recordings.execute(its_id, store_chunk(5))
    assert await events_of(log, its_id) == [opened(), chunk(1), chunk(2), chunk(3), chunk(4), finalized(4)]


async def test_nothing_is_committed_that_was_decided_on_what_another_process_kept_out(log, recordings, other):
    its_id = uuid4()
    await recordings.execute(its_id, open_recording())
    await other.execute(its_id, store_chunk(2))
    answers = await asyncio.gather(
        recordings.execute(its_id, store_chunk(1)),
        recordings.execute(its_id, finalize(1)),  # decided on chunk 1 alone, and at the version that chunk 2 has made
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [Outcome, ChunkMismatch]
    assert await events_of(log, its_id) == [opened(), chunk(2), chunk(1)]


async def test_an_answer_without_events_is_not_older_than_another_process_though_more_is_queued_here(recordings, other):
    its_id = uuid4()
    for command in (open_recording(), store_chunk(1)):
        await recordings.execute(its_id, command)
    await other.execute(its_id, delete())
    answers = await asyncio.gather(
        recordings.execute(its_id, store_chunk(1)),
        recordings.execute(its_id, store_chunk(2)),  # queued at the version that the deletion has
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [RecordingNotFound, RecordingNotFound]


async def test_finding_a_recording_that_another_process_was_faster_to_change_finds_what_that_made_of_it(
    recordings, other
):
    its_id = uuid4()
    await recordings.execute(its_id, open_recording())
    await other.execute(its_id, store_chunk(2))
    _, found = await asyncio.gather(recordings.execute(its_id, store_chunk(1)), recordings.find(its_id))
    assert 2 in found.chunks


async def test_a_state_older_than_asked_for_is_folded_again(recordings, other):
    its_id = uuid4()
    await recordings.execute(its_id, open_recording())
    await other.execute(its_id, store_chunk(1))
    assert len((await recordings.find(its_id)).chunks) == 0
    assert len((await recordings.find(its_id, at_least=2)).chunks) == 1


async def test_of_shared_recordings_everyone_finds_what_another_process_has_written(shared, other):
    its_id = uuid4()
    await shared.execute(its_id, open_recording())
    await other.execute(its_id, store_chunk(1))
    assert dict((await shared.find(its_id)).chunks) == {1: chunk(1)}
    await other.execute(its_id, delete())
    with pytest.raises(RecordingNotFound):
        await shared.find(its_id)


async def test_what_another_process_does_is_in_memory_here_once_a_follower_has_read_it(log, shared, other, other_log):
    its_id = uuid4()
    await shared.execute(its_id, open_recording())
    for number in (1, 2):
        await other.execute(its_id, store_chunk(number))
    await log.refresh_head()
    (*_, newest) = await log.read(after=1)
    assert dict(shared.in_memory(its_id, at_least=newest.version).chunks) == {1: chunk(1), 2: chunk(2)}
    await shared.execute(its_id, store_chunk(3))
    assert await other_log.refresh_head() == 4


async def test_an_answer_without_an_event_is_not_from_before_what_a_follower_read_meanwhile(
    log, shared, other, monkeypatch
):
    its_id = uuid4()
    await shared.execute(its_id, open_recording())
    await shared.execute(its_id, store_chunk(1))
    await other.execute(its_id, delete())
    await log.refresh_head()
    history = log.history

    async def once_a_follower_has_read_on(*args, **kwargs):
        await log.read(after=2)
        return await history(*args, **kwargs)

    monkeypatch.setattr(log, "history", once_a_follower_has_read_on)
    with pytest.raises(RecordingNotFound):
        await shared.execute(its_id, store_chunk(1))  # there already, as far as is known here


async def test_what_a_follower_reads_does_not_take_the_place_of_what_is_being_appended(log, shared, other):
    its_id = uuid4()
    await shared.execute(its_id, open_recording())
    for number in (1, 3):
        await other.execute(its_id, store_chunk(number))
    await log.refresh_head()
    stored = asyncio.create_task(shared.execute(its_id, store_chunk(2)))
    await asyncio.sleep(0)  # its append is queued now, with the version that the other's first chunk has
    await log.read(after=1)
    await stored
    assert [event.number for event in (await events_of(log, its_id))[1:]] == [1, 3, 2]


async def test_what_is_read_from_after_an_event_that_is_missing_in_memory_is_not_in_memory(log, shared, other):
    its_id = uuid4()
    await other.execute(its_id, open_recording())
    await shared.find(its_id)
    for number in (1, 2):
        await other.execute(its_id, store_chunk(number))
    await log.refresh_head()
    assert [recorded.version for recorded in await log.read(after=2)] == [3]
    assert shared.in_memory(its_id, at_least=2) is None
    assert list((await shared.find(its_id)).chunks) == [1, 2]


async def test_the_newest_state_is_not_one_that_was_being_loaded_for_another_and_read_on_meanwhile(
    log, recordings, other, other_log, monkeypatch
):
    its_id, recordings = uuid4(), Recordings(log, is_shared=True, hot_chunks=0)
    await recordings.execute(its_id, open_recording())
    await other.execute(its_id, store_chunk(1))
    read, history, held, has_read = log._read, log.history, [], asyncio.Event()
    ask_for_history, history_is_known, go_on = (asyncio.Event() for _ in range(3))

    async def held_after_reading(query):
        found = await read(query)
        if query_is_held:
            held.append(query)
            has_read.set()
            await go_on.wait()
        return found

    async def history_when_asked_for(*args, **kwargs):
        await ask_for_history.wait()
        found = await history(*args, **kwargs)
        history_is_known.set()
        return found

    async def another_takes_its_place_in_memory():
        await recordings.execute(uuid4(), open_recording())

    query_is_held = False
    monkeypatch.setattr(log, "_read", held_after_reading)
    monkeypatch.setattr(log, "history", history_when_asked_for)
    newest = asyncio.create_task(recordings.newest(its_id))
    await asyncio.sleep(0)
    while recordings.in_memory(its_id, at_least=0) is None:
        await asyncio.sleep(0)
    await another_takes_its_place_in_memory()
    await log.read(after=1)  # a follower keeps up
    query_is_held = True
    loading = asyncio.create_task(recordings.opened(its_id))
    await has_read.wait()  # up to chunk 1
    await other.execute(its_id, store_chunk(2))
    log.hear(other_log.head)
    reading = asyncio.create_task(log.read(after=other_log.head - 1))
    while len(held) < 2:
        await asyncio.sleep(0)  # of chunk 2
    for number in (3, 4):
        await other.execute(its_id, store_chunk(number))
    query_is_held = False
    ask_for_history.set()
    await history_is_known.wait()
    go_on.set()
    assert list((await newest).chunks) == [1, 2, 3, 4]
    await asyncio.gather(loading, reading)


async def test_what_others_add_to_recordings_in_memory_counts_for_how_many_are_kept(log, other):
    recordings = Recordings(log, is_shared=True, hot_chunks=20)
    idle, busy = uuid4(), uuid4()
    for its_id in (busy, idle):
        await recordings.execute(its_id, open_recording())
    for number in range(1, 31):
        await other.execute(busy, store_chunk(number))
    await log.refresh_head()
    assert len(await log.read(after=2)) == 30
    assert recordings.in_memory(idle, at_least=0) is None
    assert len(recordings.in_memory(busy, at_least=31).chunks) == 30


async def test_what_another_process_adds_to_a_long_history_is_read_without_the_rest(log, shared, recorder, other):
    its_id = uuid4()
    await shared.execute(its_id, open_recording())
    await asyncio.gather(*(shared.execute(its_id, store_chunk(number)) for number in range(1, 90)))
    await other.execute(its_id, store_chunk(90))
    select, first_versions = recorder.select_events, []
    recorder.select_events = lambda its_id, *, gt=None, limit=None: (
        first_versions.append(gt) or select(its_id, gt=gt, limit=limit)
    )
    await shared.execute(its_id, store_chunk(91))
    assert (await shared.find(its_id)).chunks.highest == 91
    assert min(first_versions) == 90
    assert len(await events_of(log, its_id)) == 92


async def test_two_processes_writing_as_fast_as_they_can_lose_nothing_and_double_nothing(log, recordings, other):
    its_id = uuid4()
    await recordings.execute(its_id, open_recording())

    async def upload(to, numbers):
        for number in numbers:
            while True:
                with suppress(Contended):  # as clients do, who are asked to
                    await to.execute(its_id, store_chunk(number))
                    break

    await asyncio.gather(upload(recordings, range(1, 41)), upload(other, range(20, 61)))
    numbers = [event.number for event in (await events_of(log, its_id))[1:]]
    assert sorted(numbers) == list(range(1, 61))


@pytest.fixture
def disk(recorder, monkeypatch):
    """A log that can be made to fail its commits."""
    insert = recorder.insert_batch

    class Disk:
        full = False

    def insert_or_fail(appends):
        if Disk.full:
            raise LogFull("The event log has no room to grow.")
        return insert(appends)

    monkeypatch.setattr(recorder, "insert_batch", insert_or_fail)
    return Disk


async def test_nothing_is_answered_on_the_strength_of_events_that_were_not_committed(log, recordings, disk):
    its_id = uuid4()
    await recordings.execute(its_id, open_recording())
    disk.full = True
    answers = await asyncio.gather(
        recordings.execute(its_id, store_chunk(1)),
        recordings.execute(its_id, store_chunk(1)),  # decided as a repetition of what is not committed yet
        recordings.execute(its_id, finalize(1)),
        recordings.find(its_id),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [LogFull] * 4
    disk.full = False
    with pytest.raises(ChunkMismatch):
        await recordings.execute(its_id, finalize(1))
    assert (await recordings.execute(its_id, store_chunk(1))).events == [chunk(1)]
    assert await events_of(log, its_id) == [opened(), chunk(1)]


async def test_a_refusal_that_rests_on_events_that_were_not_committed_is_not_given(recordings, disk):
    its_id = uuid4()
    await recordings.execute(its_id, open_recording())
    await recordings.execute(its_id, store_chunk(1))
    disk.full = True
    answers = await asyncio.gather(
        recordings.execute(its_id, finalize(1)),
        recordings.execute(its_id, store_chunk(1, b"other")),  # refused only if the finalize is committed
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [LogFull, LogFull]


async def test_a_caller_that_goes_away_does_not_undo_its_command(log, recordings):
    its_id = uuid4()
    await recordings.execute(its_id, open_recording())
    leaving = asyncio.create_task(recordings.execute(its_id, store_chunk(1)))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert (await recordings.execute(its_id, store_chunk(1))).events == []
    assert await events_of(log, its_id) == [opened(), chunk(1)]


async def test_several_who_look_for_a_new_recording_and_open_it_at_once_do_not_hinder_each_other(recordings):
    async def look_open_and_store(its_id, number):
        for _ in range(number):
            await asyncio.sleep(0)
        with suppress(RecordingNotFound):
            await recordings.find(its_id)
        await recordings.execute(its_id, open_recording())
        await recordings.execute(its_id, store_chunk(number))

    for _ in range(50):
        its_id = uuid4()
        await asyncio.gather(*(look_open_and_store(its_id, number) for number in range(1, 6)))
        assert len((await recordings.find(its_id)).chunks) == 5


async def test_recordings_used_least_recently_are_let_go_and_come_back_from_the_log(log):
    recordings = Recordings(log, hot_chunks=10)
    ids = [uuid4() for _ in range(20)]
    for its_id in ids:
        await recordings.execute(its_id, open_recording())
        await recordings.execute(its_id, store_chunk(1))
    assert len(recordings._streams._hot) <= 10
    streams = recordings._streams
    assert streams._held == sum(1 + len(hot.state.chunks) for hot in streams._hot.values())
    for its_id in ids:
        assert len((await recordings.find(its_id)).chunks) == 1


async def test_asking_for_what_does_not_exist_does_not_fill_the_memory(log):
    recordings = Recordings(log, hot_chunks=10)
    for _ in range(50):
        with pytest.raises(RecordingNotFound):
            await recordings.find(uuid4())
    assert len(recordings._streams._hot) <= 10


async def test_what_cannot_be_loaded_for_somebody_who_has_gone_is_no_error_in_the_log(recordings, log, monkeypatch):
    reported, may_fail = [], asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def fail(*_, **__):
        await may_fail.wait()
        raise LogUnavailable("The event log cannot be used: the server has gone.")

    monkeypatch.setattr(log, "state", fail)
    gone = asyncio.create_task(recordings.find(uuid4()))
    while not recordings._streams._loading:
        await asyncio.sleep(0)
    (loading,) = recordings._streams._loading.values()
    gone.cancel()
    await asyncio.wait([gone])
    may_fail.set()
    await asyncio.wait([loading])
    del loading
    gc.collect()
    await asyncio.sleep(0)
    assert reported == []
