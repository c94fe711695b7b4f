import asyncio
import threading
import weakref
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import pytest

from adapters.event_log import log as log_module
from adapters.event_log import recent
from adapters.event_log.log import EventLog
from adapters.event_log.port import LogFull, LogUnavailable, VersionConflict
from adapters.event_log.postgres import PostgresLogRecorder
from adapters.event_log.reader import StateAt
from adapters.event_log.sqlite import SQLiteLogRecorder
from tests.domain.histories import chunk, opened

NO_TRACE = None


@pytest.fixture(params=["sqlite", "postgresql"])
def open_recorder(request, tmp_path):
    """Opens the recorder of one log; called twice, it opens the same log twice."""
    if request.param == "sqlite":
        return partial(SQLiteLogRecorder, tmp_path / "log.sqlite3")
    return partial(PostgresLogRecorder, request.getfixturevalue("database"))


@pytest.fixture
def recorder(open_recorder):
    return open_recorder()


@pytest.fixture
def commits():
    return []


@pytest.fixture
async def log(recorder, commits):
    log = EventLog(recorder, on_commit=lambda appends, events: commits.append((appends, events)))
    yield log
    await log.close()


async def test_an_append_answers_with_the_position_of_its_last_event(log):
    its_id = uuid4()
    assert await log.append(its_id, 0, [opened(), chunk(1)], trace_id="t") == 2
    assert log.head == 2
    history = await log.history(its_id)
    assert [(recorded.version, recorded.event, recorded.trace_id) for recorded in history] == [
        (1, opened(), "t"),
        (2, chunk(1), "t"),
    ]


async def test_appends_that_wait_together_share_one_commit(log, commits):
    first = log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    await asyncio.sleep(0)  # the first is being committed when the others come
    others = [log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE) for _ in range(50)]
    assert await asyncio.gather(first, *others) == list(range(1, 52))
    assert sum(events for _, events in commits) == 51
    assert len(commits) <= 3


async def test_a_conflict_fails_only_the_append_that_caused_it(log):
    contended = uuid4()
    await log.append(contended, 0, [opened()], trace_id=NO_TRACE)
    stale = log.append(contended, 0, [opened()], trace_id=NO_TRACE)
    fresh = log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    with pytest.raises(VersionConflict):
        await stale
    assert await fresh == 2


@pytest.mark.parametrize("largest_commit", [1, 100])
async def test_what_rests_on_an_append_that_failed_fails_too_even_where_its_version_would_fit(
    log, monkeypatch, largest_commit
):
    """Another process's event has taken the version that the first append was to get."""
    monkeypatch.setattr(log_module, "LARGEST_COMMIT", largest_commit)
    contended = uuid4()
    await log.append(contended, 0, [opened()], trace_id=NO_TRACE)
    await log.append(contended, 1, [chunk(1)], trace_id=NO_TRACE)
    stale = log.append(contended, 1, [chunk(2)], trace_id=NO_TRACE)
    resting = log.append(contended, 2, [chunk(3)], trace_id=NO_TRACE, rests_on=stale)
    outcomes = await asyncio.gather(stale, resting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [VersionConflict, VersionConflict]
    assert [recorded.event for recorded in await log.history(contended)] == [opened(), chunk(1)]


async def test_appends_that_rest_on_each_other_are_committed_in_order_and_each_is_told_its_position(log):
    its_id = uuid4()
    first = log.append(its_id, 0, [opened(), chunk(1)], trace_id=NO_TRACE)
    second = log.append(its_id, 2, [chunk(2)], trace_id=NO_TRACE, rests_on=first)
    other = log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    third = log.append(its_id, 3, [chunk(3)], trace_id=NO_TRACE, rests_on=second)
    positions = await asyncio.gather(first, second, third, other)
    history = await log.read(after=0)
    assert [recorded.position for recorded in history] == [1, 2, 3, 4, 5]
    assert [(history[position - 1].event, history[position - 1].stream_id == its_id) for position in positions] == [
        (chunk(1), True),
        (chunk(2), True),
        (chunk(3), True),
        (opened(), False),
    ]


async def test_a_failed_commit_fails_everyone_in_it_and_nobody_after_it(log, recorder, monkeypatch):
    insert, failing = recorder.insert_batch, True

    def insert_or_fail(appends):
        if failing:
            raise LogFull("The event log has no room to grow.")
        return insert(appends)

    monkeypatch.setattr(recorder, "insert_batch", insert_or_fail)
    doomed = [log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE) for _ in range(2)]
    results = await asyncio.gather(*doomed, return_exceptions=True)
    assert [type(result) for result in results] == [LogFull, LogFull]
    failing = False
    assert await log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE) == 1


@dataclass
class FakeBytes:
    """Bytes that note when they are made durable, or fail to be."""

    notes: list[str]
    failure: Exception | None = None
    size_bytes: int = 10

    @property
    def keeper(self):
        return KEEPER


class _Keeper:
    def make_durable(self, bodies):
        for body in bodies:
            body.notes.append(f"bytes of {len(bodies)}")
        return [body.failure for body in bodies]


KEEPER = _Keeper()


async def test_bytes_are_made_durable_together_and_before_the_events_that_speak_of_them(recorder, monkeypatch):
    notes, insert = [], recorder.insert_batch
    committed_bytes = []

    def noted(appends):
        notes.append(f"events of {len(appends)}")
        return insert(appends)

    monkeypatch.setattr(recorder, "insert_batch", noted)
    log = EventLog(recorder, on_commit_bytes=committed_bytes.append)
    await asyncio.gather(
        *(log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE, after=FakeBytes(notes)) for _ in range(3))
    )
    assert notes == ["bytes of 3"] * 3 + ["events of 3"]
    assert committed_bytes == [30]
    await log.close()


async def test_each_commit_tells_how_long_it_took_and_one_that_fails_only_that_it_failed(recorder, monkeypatch):
    seconds, failed = [], []
    log = EventLog(recorder, on_commit_seconds=seconds.append, on_commit_failed=lambda: failed.append(1))
    await log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    assert (len(seconds), failed) == (1, [])
    assert seconds[0] > 0

    def no_room(appends):
        raise LogFull("no room")

    monkeypatch.setattr(recorder, "insert_batch", no_room)
    with pytest.raises(LogFull):
        await log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    assert (len(seconds), failed) == (1, [1])
    await log.close()


async def test_bytes_that_failed_to_be_durable_fail_their_event_and_no_other(log):
    lost = log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE, after=FakeBytes([], OSError("lost")))
    kept = log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE, after=FakeBytes([]))
    other = log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    with pytest.raises(OSError, match="lost"):
        await lost
    assert await asyncio.gather(kept, other) == [1, 2]
    assert log.head == 2


@pytest.mark.parametrize("broken", [0, 1, 2])
@pytest.mark.parametrize("largest_commit", [1, 2, 100])
async def test_what_rests_on_an_append_whose_bytes_failed_is_decided_again_and_nothing_of_it_is_in_the_log(
    log, monkeypatch, broken, largest_commit
):
    monkeypatch.setattr(log_module, "LARGEST_COMMIT", largest_commit)
    its_id, notes, rests_on, appends = uuid4(), [], None, []
    for version, event in enumerate([opened(), chunk(1), chunk(2), chunk(3)]):
        body = FakeBytes(notes, OSError("lost") if version == broken else None)
        rests_on = log.append(its_id, version, [event], trace_id=NO_TRACE, rests_on=rests_on, after=body)
        appends.append(rests_on)
    other = log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE, after=FakeBytes(notes))
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    assert outcomes[:broken] == list(range(1, broken + 1))
    assert [type(outcome) for outcome in outcomes[broken:]] == [OSError] + [VersionConflict] * (3 - broken)
    assert [recorded.version for recorded in await log.history(its_id)] == list(range(1, broken + 1))
    assert await other == log.head == broken + 1
    assert await log.append(its_id, broken, [chunk(9)], trace_id=NO_TRACE, after=FakeBytes(notes)) == broken + 2


async def test_an_append_whose_bytes_failed_lets_nothing_in_that_was_decided_on_it_while_it_failed(log):
    """Even where another process's event has taken the version that the failed append was to get."""
    its_id = uuid4()
    await log.append(its_id, 0, [opened()], trace_id=NO_TRACE)
    lost = log.append(its_id, 1, [chunk(1)], trace_id=NO_TRACE, after=FakeBytes([], OSError("lost")))
    with pytest.raises(OSError, match="lost"):
        await lost
    await log.append(its_id, 1, [chunk(2)], trace_id=NO_TRACE)
    with pytest.raises(VersionConflict):
        await log.append(its_id, 2, [chunk(3)], trace_id=NO_TRACE, rests_on=lost)
    assert [recorded.event for recorded in await log.history(its_id)] == [opened(), chunk(2)]


async def test_a_failed_transaction_fails_those_whose_bytes_were_durable_and_those_whose_were_not(
    log, recorder, monkeypatch
):
    def fail(appends):
        raise LogFull("The event log has no room to grow.")

    monkeypatch.setattr(recorder, "insert_batch", fail)
    its_id = uuid4()
    kept = log.append(its_id, 0, [opened()], trace_id=NO_TRACE, after=FakeBytes([]))
    lost = log.append(its_id, 1, [chunk(1)], trace_id=NO_TRACE, rests_on=kept, after=FakeBytes([], OSError("lost")))
    resting = log.append(its_id, 2, [chunk(2)], trace_id=NO_TRACE, rests_on=lost)
    outcomes = await asyncio.gather(kept, lost, resting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LogFull, LogFull, LogFull]


async def test_followers_get_what_is_there_and_what_comes_in_order(log, monkeypatch):
    monkeypatch.setattr(log_module, "FOREIGN_COMMIT_CHECK_SECONDS", 60)  # only a wake-up can be in time
    its_id = uuid4()
    await log.append(its_id, 0, [opened(), chunk(1)], trace_id=NO_TRACE)
    seen = []

    async def follow():
        async for events in log.follow(after=0):
            seen.extend(recorded.position for recorded in events)
            if len(seen) >= 6:
                return

    following = asyncio.create_task(follow())
    while len(seen) < 2:
        await asyncio.sleep(0)
    for version in range(2, 6):
        await log.append(its_id, version, [chunk(version)], trace_id=NO_TRACE)
    await following
    assert seen == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("kept", [0, 1, 3, 100])
async def test_reading_gives_the_same_from_memory_and_from_disk(recorder, monkeypatch, kept):
    monkeypatch.setattr(recent, "RECENT_EVENTS", kept)
    log = EventLog(recorder)
    for _ in range(8):
        await log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    for after in range(9):
        for limit in (1, 3, 100):
            positions = [recorded.position for recorded in await log.read(after=after, limit=limit)]
            assert positions == list(range(after + 1, 9))[:limit]
    await log.close()


async def test_who_has_read_what_another_process_wrote_can_read_on_in_the_middle_of_it(log, open_recorder):
    await log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    other, its_id = EventLog(open_recorder()), uuid4()
    await other.append(its_id, 0, [opened()], trace_id=NO_TRACE)
    await log.refresh_head()
    await other.append(its_id, 1, [chunk(1)], trace_id=NO_TRACE)
    await other.close()
    found = await log.read(after=1)
    assert [recorded.event for recorded in found] == [opened(), chunk(1)]
    assert await log.read(after=2) == found[1:]


async def test_what_another_process_commits_is_followed_too_and_in_order(log, open_recorder, monkeypatch):
    monkeypatch.setattr(log_module, "FOREIGN_COMMIT_CHECK_SECONDS", 0.01)
    other = EventLog(open_recorder())
    for writer in (log, other, other, log, other):
        await writer.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    seen = []
    async for events in log.follow(after=0):
        seen.extend(recorded.position for recorded in events)
        if len(seen) == 5:
            break
    assert seen == [1, 2, 3, 4, 5]
    await other.close()


@pytest.mark.parametrize("steps_later", range(4))
async def test_a_follower_cancelled_while_it_is_woken_stops(log, steps_later):
    waiting = asyncio.create_task(log.wait_for_growth(0))
    for _ in range(3):
        await asyncio.sleep(0)
    log.wake()
    for _ in range(steps_later):
        await asyncio.sleep(0)
    if waiting.cancel():
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_closing_waits_for_the_commit_under_way(recorder, monkeypatch):
    insert, go_on = recorder.insert_batch, threading.Event()

    def slow_insert(appends):
        go_on.wait()
        return insert(appends)

    monkeypatch.setattr(recorder, "insert_batch", slow_insert)
    log = EventLog(recorder)
    done = log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    await asyncio.sleep(0)
    closing = asyncio.create_task(log.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    assert await done == 1


@pytest.mark.parametrize("steps", range(5))
async def test_a_follower_that_is_stopped_at_the_moment_the_log_grows_stops(log, steps):
    """`asyncio.wait_for` of Python 3.11 forgets a cancellation that comes together with what was waited for."""
    following = asyncio.create_task(log.wait_for_growth(log.head))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    log.wake()
    for _ in range(steps):
        await asyncio.sleep(0)
    if following.done():
        return
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


async def test_any_state_is_folded_from_a_streams_events_one_at_a_time(log):
    stream, kept = uuid4(), []
    events = [opened(), *(chunk(number) for number in range(1, 40))]
    await log.append(stream, 0, events, trace_id=NO_TRACE)
    await log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)

    def count(given, state):
        for event in given:
            kept.append(weakref.ref(event))
            assert sum(each() is not None for each in kept) <= 2
            state = (state or 0) + 1
        return state

    whole = await log.state(stream, count)
    assert whole == StateAt(40, 40)
    await log.append(stream, 40, [chunk(40), chunk(41)], trace_id=NO_TRACE)
    assert await log.state(stream, count, after=whole) == StateAt(42, 42)
    assert await log.state(uuid4(), count) == StateAt(0, None)


async def test_a_shared_log_knows_what_other_processes_have_committed_and_is_told_of_it(tmp_path):
    heads = []
    one = EventLog(SQLiteLogRecorder(tmp_path / "shared.sqlite3"), is_shared=True)
    other = EventLog(SQLiteLogRecorder(tmp_path / "shared.sqlite3"), on_head=heads.append)
    await other.append(uuid4(), 0, [opened(), chunk(1)], trace_id=None)
    assert heads == [2]
    assert (one.head, await one.newest_head()) == (0, 2)
    following = one.follow(after=2)
    next_batch = asyncio.create_task(anext(following))
    await other.append(uuid4(), 0, [opened()], trace_id=None)
    one.hear(heads[-1])
    assert [recorded.position for recorded in await next_batch] == [3]
    await following.aclose()
    for log in (one, other):
        await log.close()


@pytest.fixture
def pages(recorder, monkeypatch):
    """How often the store was asked for a page, each time by its first position."""
    asked, select = [], recorder.select_notifications

    def count(start, limit, **how):
        asked.append(start)
        return select(start, limit, **how)

    monkeypatch.setattr(recorder, "select_notifications", count)
    return asked


async def test_what_another_process_commits_is_read_once_for_all_who_follow(log, open_recorder, pages):
    await log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    other, its_id = EventLog(open_recorder()), uuid4()
    for version in range(3):
        await other.append(its_id, version, [chunk(version) if version else opened()], trace_id=NO_TRACE)
        await log.refresh_head()
        found = await asyncio.gather(*(log.read(after=version + 1) for _ in range(4)))
        assert [[recorded.position for recorded in each] for each in found] == [[version + 2]] * 4
    await other.close()
    assert [recorded.position for recorded in await log.read(after=0)] == [1, 2, 3, 4]  # so all of it is in memory
    assert pages == [1, 2, 3]


async def test_what_several_processes_commit_in_turn_is_read_whole(log, open_recorder):
    other, ids = EventLog(open_recorder()), [uuid4() for _ in range(9)]
    for number, its_id in enumerate(ids):
        await (log if number % 3 == 0 else other).append(its_id, 0, [opened()], trace_id=NO_TRACE)
        if number == 5:
            assert await _streams_after(log, 1) == ids[1:6]
    await log.refresh_head()
    assert await _streams_after(log, 4) == ids[4:]
    assert await _streams_after(log, 0) == ids
    await other.close()


async def _streams_after(log, position):
    found = []
    while events := await log.read(after=position):
        assert [recorded.position for recorded in events] == list(range(position + 1, position + 1 + len(events)))
        found += [recorded.stream_id for recorded in events]
        position = events[-1].position
    return found


@pytest.mark.parametrize("kept", [0, 2, 100])
async def test_what_is_read_far_behind_the_end_is_not_kept(recorder, open_recorder, monkeypatch, kept, pages):
    other = EventLog(open_recorder())
    for _ in range(10):
        await other.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    await other.close()
    monkeypatch.setattr(recent, "RECENT_EVENTS", kept)
    log = EventLog(recorder)
    for _ in range(2):
        assert [recorded.position for recorded in await log.read(after=0, limit=5)] == [1, 2, 3, 4, 5]
    assert len(pages) == (1 if kept == 100 else 2)
    await log.close()


async def test_who_reads_ahead_of_the_followers_takes_nothing_from_them(log, open_recorder, pages):
    told = []
    log.observe_foreign(lambda new: told.extend(recorded.position for recorded in new))
    await log.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    other = EventLog(open_recorder())
    for _ in range(4):
        await other.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    await other.close()
    await log.refresh_head()
    assert [recorded.position for recorded in await log.read(after=3)] == [4, 5]
    for after in (1, 0, 3):
        await log.read(after=after)
    assert told == [2, 3, 4, 5]
    assert pages == [3, 1]


async def test_a_reader_that_goes_away_takes_nothing_from_those_who_read_the_same(log, open_recorder):
    other = EventLog(open_recorder())
    await other.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    await other.close()
    await log.refresh_head()
    gone, stays = (asyncio.create_task(log.read(after=0)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    assert [recorded.position for recorded in await stays] == [1]
    assert gone.cancelled()


async def test_that_a_page_cannot_be_read_is_told_to_all_who_wait_for_it_and_is_tried_again(
    log, recorder, open_recorder, monkeypatch
):
    other = EventLog(open_recorder())
    await other.append(uuid4(), 0, [opened()], trace_id=NO_TRACE)
    await other.close()
    await log.refresh_head()

    def fail(*_, **__):
        raise LogUnavailable("The event log cannot be read.")

    with monkeypatch.context() as broken:
        broken.setattr(recorder, "select_notifications", fail)
        outcomes = await asyncio.gather(*(log.read(after=0) for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LogUnavailable] * 3
    assert [recorded.position for recorded in await log.read(after=0)] == [1]
