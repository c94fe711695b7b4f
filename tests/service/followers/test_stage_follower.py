import asyncio
import logging
import sqlite3
import threading
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from random import Random
from uuid import uuid4

import pytest

from adapters.audio.errors import NotAudio
from adapters.blobs.port import StorageFull, StorageUnavailable
from adapters.claims.own import OwnClaims
from adapters.database.port import ServerAway
from adapters.event_log import log as log_module
from adapters.event_log.log import EventLog
from adapters.event_log.port import LogUnavailable
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.positions import PositionStore
from adapters.speech.port import EngineUnavailable
from adapters.worker_processes import WorkerOutOfMemory, WorkerTimedOut
from domain.commands import DeleteRecording
from domain.errors import RecordingClosed
from domain.events import Failed, FinalizePolicy, RecordingDeleted, RetryRequested, Stage, Stitched
from service.application.metrics import Metrics
from service.application.operating import Backlog
from service.application.project_turns import Urgency
from service.application.recordings import Recordings
from service.application.retry import RetryPolicy
from service.application.stage_parts import Effort, TookTooLong
from service.application.stages import STAGES
from service.application.turns import SHORT, Turns
from service.followers import jobs
from service.followers.stage_follower import StageFollower
from tests.domain.histories import at, finalize, open_recording, record_stitched, retry, store_chunk

AT_ONCE = RetryPolicy(first=timedelta(0), longest=timedelta(0), attempts=3)


class PlainWork:
    """A stage's work by a function, in these turns. `given`: the times it was given."""

    def __init__(self, do, turns, limit):
        self._do = do
        self._turns = turns
        self._limit = limit
        self.given = []

    def effort(self, _):
        return Effort(self._turns, Urgency.SHORT, self._limit)

    async def do(self, recording_id, recording, permit):
        self.given.append(permit.within)
        return await self._do(recording_id, recording)


class Rig:
    """A log, and a stitching follower over it whose work is the test's own."""

    def __init__(self, tmp_path):
        self.recorder = SQLiteLogRecorder(tmp_path / "log.sqlite3")
        self.log = EventLog(self.recorder)
        self.recordings = Recordings(self.log)
        self.claims = OwnClaims()
        self.positions = PositionStore(tmp_path / "followers.sqlite3")
        self.worked = []
        self.gone = []
        self.turns = Turns(1_000)
        self.limit = timedelta(minutes=1)
        self._tasks = []

    def follow(self, work):
        async def counted(recording_id, recording):
            self.worked.append(recording_id)
            return await work(recording_id, recording)

        self.work = PlainWork(counted, self.turns, self.limit)
        follower = StageFollower(
            STAGES[Stage.STITCH],
            self.work,
            on_gone=self.note_gone,
            claims=self.claims,
            log=self.log,
            recordings=self.recordings,
            positions=self.positions,
            policy=AT_ONCE,
            clock=lambda: at(5),
            random=Random(1),
            metrics=Metrics(),
        )
        self.backlog = follower.backlog
        self._tasks.append(asyncio.create_task(follower.run()))
        return self._tasks[-1]

    async def note_gone(self, recording_id):
        self.gone.append(recording_id)

    async def finalized(self, project="proj_1"):
        its_id = uuid4()
        for command in (open_recording(tenant_id=project), store_chunk(1), finalize(1)):
            await self.recordings.execute(its_id, command)
        return its_id

    async def types(self, its_id):
        return [type(recorded.event) for recorded in await self.log.history(its_id)][3:]

    async def until(self, condition):
        async with asyncio.timeout(120):
            while not await condition():
                await asyncio.sleep(0.001)

    async def until_types(self, its_id, *types):
        async def reached():
            return await self.types(its_id) == list(types)

        await self.until(reached)

    async def close(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.log.close()
        self.positions.close()


@pytest.fixture
async def rig(tmp_path):
    rig = Rig(tmp_path)
    yield rig
    await rig.close()


async def stitched(_, __):
    return record_stitched()


async def test_work_that_is_due_is_done_once_and_recorded(rig):
    before = await rig.finalized()
    rig.follow(stitched)
    after = await rig.finalized()
    for its_id in (before, after):
        await rig.until_types(its_id, Stitched)
    assert sorted(rig.worked) == sorted([before, after])


async def test_a_follower_that_starts_again_goes_on_and_does_nothing_twice(rig):
    ids = [await rig.finalized() for _ in range(3)]
    running = rig.follow(stitched)
    for its_id in ids:
        await rig.until_types(its_id, Stitched)
    running.cancel()
    await asyncio.wait([running])
    rig.positions.save("stitch", 0)  # as after a crash that lost the last positions
    rig.follow(stitched)
    newest = await rig.finalized()
    await rig.until_types(newest, Stitched)
    assert sorted(rig.worked) == sorted([*ids, newest])


async def test_a_job_cut_off_in_the_middle_is_done_by_the_next_follower(rig):
    its_id = await rig.finalized()
    begun = asyncio.Event()

    async def stuck(_, __):
        begun.set()
        await asyncio.Event().wait()

    running = rig.follow(stuck)
    await begun.wait()
    running.cancel()
    await asyncio.wait([running])
    assert rig.positions.load("stitch") < rig.log.head
    rig.follow(stitched)
    await rig.until_types(its_id, Stitched)


async def test_what_cannot_be_helped_fails_at_the_first_attempt(rig):
    async def not_audio(_, __):
        raise NotAudio(chunk_number=1, detail="is not audio")

    its_id = await rig.finalized()
    rig.follow(not_audio)
    await rig.until_types(its_id, Failed)
    failed = (await rig.recordings.find(its_id)).failed
    assert (failed.stage, failed.reason, failed.attempts) == (Stage.STITCH, "not_audio", 1)
    assert failed.message == "Chunk 1 is not audio."
    assert len(rig.worked) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (WorkerOutOfMemory(512 * 2**20), "too_much_memory"),
        (WorkerTimedOut(timedelta(hours=1)), "took_too_long"),
    ],
)
async def test_a_job_that_hogs_its_worker_is_not_tried_again(rig, error, reason):
    async def hogs(_, __):
        raise error

    its_id = await rig.finalized()
    rig.follow(hogs)
    await rig.until_types(its_id, Failed)
    failed = (await rig.recordings.find(its_id)).failed
    assert (failed.reason, failed.message, failed.attempts) == (reason, str(error), 1)
    assert len(rig.worked) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("secret words"), "internal_error"),
        (EngineUnavailable("openai", "it is away"), "engine_unavailable"),
    ],
)
async def test_what_breaks_is_tried_as_often_as_the_policy_says_and_then_given_up(rig, error, reason):
    async def broken(_, __):
        raise error

    its_id = await rig.finalized()
    rig.follow(broken)
    await rig.until_types(its_id, Failed)
    failed = (await rig.recordings.find(its_id)).failed
    assert (failed.reason, failed.attempts, len(rig.worked)) == (reason, 3, 3)
    assert "secret" not in failed.message


async def test_what_breaks_once_is_done_at_the_next_attempt(rig):
    async def broken_once(_, __):
        if len(rig.worked) == 1:
            raise RuntimeError
        return record_stitched()

    its_id = await rig.finalized()
    rig.follow(broken_once)
    await rig.until_types(its_id, Stitched)


@pytest.mark.parametrize("outage", [StorageFull(), ServerAway("It is away.")])
async def test_a_full_disk_or_a_server_that_is_away_is_waited_out_and_never_fails_a_recording(
    rig, monkeypatch, caplog, outage
):
    monkeypatch.setattr(jobs, "WAITING", RetryPolicy(first=timedelta(0), longest=timedelta(0)))

    async def out_for_a_while(_, __):
        if len(rig.worked) < 20:
            raise outage
        return record_stitched()

    its_id = await rig.finalized()
    rig.follow(out_for_a_while)
    await rig.until_types(its_id, Stitched)
    assert {(record.levelname, record.message) for record in caplog.records} == {("WARNING", "job waits")}


async def test_a_log_that_cannot_be_read_for_a_moment_does_not_cost_a_recording_its_stage(rig, monkeypatch):
    monkeypatch.setattr(jobs, "WAITING", RetryPolicy(first=timedelta(0), longest=timedelta(0)))
    find, failures = rig.recordings.find, iter([sqlite3.OperationalError("disk I/O error")] * 3)

    async def find_or_fail(recording_id, **options):
        for failure in failures:
            raise failure
        return await find(recording_id, **options)

    its_id = await rig.finalized()
    monkeypatch.setattr(rig.recordings, "find", find_or_fail)
    rig.follow(stitched)
    await rig.until_types(its_id, Stitched)


async def test_the_last_chunk_is_noticed_though_another_process_took_it(rig, tmp_path, monkeypatch):
    monkeypatch.setattr(log_module, "FOREIGN_COMMIT_CHECK_SECONDS", 0.01)
    its_id = uuid4()
    for command in (open_recording(finalize_policy=FinalizePolicy.RECONCILE), finalize(1)):
        await rig.recordings.execute(its_id, command)
    rig.follow(stitched)
    other_log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
    await Recordings(other_log).execute(its_id, store_chunk(1))
    await rig.until_types(its_id, Stitched)
    await other_log.close()


async def test_the_last_chunk_is_not_judged_by_what_this_process_has_yet_to_commit(rig, tmp_path, monkeypatch):
    monkeypatch.setattr(log_module, "FOREIGN_COMMIT_CHECK_SECONDS", 0.01)
    its_id = uuid4()
    for command in (open_recording(finalize_policy=FinalizePolicy.RECONCILE), finalize(2)):
        await rig.recordings.execute(its_id, command)
    judged = []
    may_be_due = StageFollower._may_be_due

    def judge(follower, recorded):
        judged.append(recorded.version)
        return may_be_due(follower, recorded)

    async def nothing_is_left():
        return rig.positions.load("stitch") == rig.log.head

    async def the_last_is_judged():
        return judged[-1] == 4

    async def is_stitched():
        return Stitched in await rig.types(its_id)

    monkeypatch.setattr(StageFollower, "_may_be_due", judge)
    rig.follow(stitched)
    await rig.until(nothing_is_left)
    committing = threading.Event()
    insert_batch = rig.recorder.insert_batch
    monkeypatch.setattr(rig.recorder, "insert_batch", lambda batch: committing.wait(120) and insert_batch(batch))
    ours = asyncio.gather(
        *(rig.recordings.execute(its_id, store_chunk(1, body)) for body in (b"ours", b"again")), return_exceptions=True
    )
    await asyncio.sleep(0)  # both queued: as many versions as the other process is about to write
    other_log = EventLog(SQLiteLogRecorder(tmp_path / "log.sqlite3"))
    for number in (1, 2):
        await Recordings(other_log).execute(its_id, store_chunk(number))
    await other_log.close()
    await rig.until(the_last_is_judged)
    committing.set()
    assert [type(refusal) for refusal in await ours] == [RecordingClosed] * 2
    await rig.until(is_stitched)


async def test_work_is_done_in_the_name_of_the_request_that_made_it_due(rig):
    its_id = uuid4()
    for command, trace in (
        (open_recording(finalize_policy=FinalizePolicy.RECONCILE), "opened"),
        (store_chunk(1), "stored"),
        (finalize(1), "finalized"),
    ):
        await rig.recordings.execute(its_id, command, trace_id=trace)
    rig.follow(stitched)
    await rig.until_types(its_id, Stitched)
    assert (await rig.log.history(its_id))[-1].trace_id == "finalized"


async def test_a_retry_is_taken_up(rig):
    async def fails_first(_, __):
        if len(rig.worked) == 1:
            raise NotAudio(chunk_number=1, detail="is not audio")
        return record_stitched()

    its_id = await rig.finalized()
    rig.follow(fails_first)
    await rig.until_types(its_id, Failed)
    await rig.recordings.execute(its_id, retry())
    await rig.until_types(its_id, Failed, RetryRequested, Stitched)


async def test_recordings_are_worked_on_side_by_side_and_a_slow_one_holds_nobody_up(rig):
    slow = await rig.finalized()
    go_on = asyncio.Event()

    async def slow_for_one(its_id, _):
        if its_id == slow:
            await go_on.wait()
        return record_stitched()

    rig.follow(slow_for_one)
    others = [await rig.finalized() for _ in range(5)]
    for its_id in others:
        await rig.until_types(its_id, Stitched)
    assert await rig.types(slow) == []
    position_of_slow = 3
    assert rig.positions.load("stitch") < position_of_slow
    go_on.set()
    await rig.until_types(slow, Stitched)

    async def caught_up():
        return rig.positions.load("stitch") == rig.log.head

    await rig.until(caught_up)


async def test_two_followers_of_one_stage_record_one_end(rig):
    async def slowly(_, __):
        await asyncio.sleep(0)
        return record_stitched()

    rig.follow(slowly)
    rig.follow(slowly)
    ids = [await rig.finalized() for _ in range(10)]
    for its_id in ids:
        await rig.until_types(its_id, Stitched)


async def test_positions_are_saved_in_order(rig, monkeypatch):
    saved, save = [], rig.positions.save
    monkeypatch.setattr(rig.positions, "save", lambda name, position: (saved.append(position), save(name, position)))
    rig.follow(stitched)
    for _ in range(10):
        await rig.until_types(await rig.finalized(), Stitched)
    assert all(earlier < later for earlier, later in pairwise(saved))


async def test_erasing_what_a_job_stored_is_tried_until_the_storage_is_back(rig, monkeypatch):
    monkeypatch.setattr(jobs, "WAITING", RetryPolicy(first=timedelta(0), longest=timedelta(0)))
    note_gone, calls = rig.note_gone, []

    async def away_at_first(its_id):
        calls.append(its_id)
        if len(calls) < 3:
            raise StorageUnavailable("it does not answer")
        await note_gone(its_id)

    monkeypatch.setattr(rig, "note_gone", away_at_first)
    its_id = await rig.finalized()
    await rig.recordings.execute(its_id, DeleteRecording(at=at(6)))
    rig.follow(stitched)

    async def told():
        return rig.gone == [its_id]

    await rig.until(told)


async def test_while_the_log_is_away_one_line_says_so_for_all_jobs_and_one_that_they_go_on(rig, monkeypatch, caplog):
    monkeypatch.setattr(jobs, "WAITING", RetryPolicy(first=timedelta(0), longest=timedelta(0)))
    caplog.set_level(logging.INFO)
    tries = Counter()

    async def away_at_first(its_id, _):
        tries[its_id] += 1
        while len(tries) < 2:  # both wait before either goes on
            await asyncio.sleep(0)
        if tries[its_id] < 4:
            raise LogUnavailable("The log does not answer.")
        return record_stitched()

    first, second = await rig.finalized(), await rig.finalized()
    rig.follow(away_at_first)
    for its_id in (first, second):
        await rig.until_types(its_id, Stitched)

    def said():
        return [record.message for record in caplog.records if record.name == jobs.__name__]

    async def is_over():
        return said()[-1] == "jobs go on"

    await rig.until(is_over)
    assert said()[:2] == ["job waits", "jobs go on"]
    assert len(said()) <= 4  # where one goes on before the other tries again


async def test_what_a_job_stored_for_a_recording_deleted_meanwhile_is_erased(rig):
    async def deleted_meanwhile(its_id, _):
        await rig.recordings.execute(its_id, DeleteRecording(at=at(6)))
        return record_stitched()

    its_id = await rig.finalized()
    rig.follow(deleted_meanwhile)
    await rig.until_types(its_id, RecordingDeleted)

    async def told():
        return set(rig.gone) == {its_id}

    await rig.until(told)


async def test_what_takes_too_long_fails_by_name_and_is_not_tried_again(rig):
    async def too_long(_, __):
        raise TookTooLong(rig.limit)

    its_id = await rig.finalized()
    rig.follow(too_long)
    await rig.until_types(its_id, Failed)
    failed = (await rig.recordings.find(its_id)).failed
    assert (failed.reason, failed.attempts, len(rig.worked)) == ("took_too_long", 1, 1)
    assert failed.message == "The work took longer than 1 min and was stopped."


async def test_short_work_that_turns_out_to_be_long_is_begun_anew_with_all_its_time(rig):
    async def too_long_for_a_short_turn(_, __):
        if len(rig.worked) == 1:
            raise TookTooLong(SHORT)
        return record_stitched()

    rig.limit = timedelta(hours=1)
    its_id = await rig.finalized()
    rig.follow(too_long_for_a_short_turn)
    await rig.until_types(its_id, Stitched)
    assert rig.work.given == [SHORT, timedelta(hours=1)]


async def test_work_under_way_ends_when_its_recording_is_deleted_and_frees_its_place(rig):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless_for_the_first(its_id, _):
        if its_id != bomb:
            return record_stitched()
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    rig.turns = Turns(1)
    bomb = await rig.finalized("hostile")
    rig.follow(endless_for_the_first)
    await begun.wait()
    behind_it = await rig.finalized("honest")
    assert not ended.is_set()
    await rig.recordings.execute(bomb, DeleteRecording(at=at(6)))
    await rig.until_types(behind_it, Stitched)
    assert ended.is_set()

    async def told():
        return set(rig.gone) == {bomb}

    await rig.until(told)


async def test_work_that_waits_for_its_turn_ends_when_its_recording_is_deleted(rig):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(_, __):
        begun.set()
        await go_on.wait()
        return record_stitched()

    rig.turns = Turns(1)
    first = await rig.finalized()
    rig.follow(slowly)
    await begun.wait()
    waiting = await rig.finalized()
    await rig.recordings.execute(waiting, DeleteRecording(at=at(6)))

    async def told():
        return set(rig.gone) == {waiting}

    await rig.until(told)
    go_on.set()
    await rig.until_types(first, Stitched)
    assert rig.worked == [first]


async def test_each_projects_backlog_tells_what_waits_what_is_worked_on_and_whether_that_is_all(rig, monkeypatch):
    monkeypatch.setattr(jobs, "MOST_BEGUN", 2)
    monkeypatch.setattr(jobs, "MOST_WAITING", 1)
    rig.turns, may_end = Turns(1), asyncio.Event()

    async def patiently(_, __):
        await may_end.wait()
        return record_stitched()

    async def is_worked_on():
        return bool(rig.worked)

    async def is_taken():
        return rig.backlog("proj_2").waiting == 1

    async def is_done():
        return rig.backlog("proj_1") == rig.backlog("proj_2") == Backlog(0, 0, is_whole=True)

    its_ids = [await rig.finalized("proj_1") for _ in range(4)]
    rig.follow(patiently)
    await rig.until(is_worked_on)
    its_ids.append(await rig.finalized("proj_2"))
    await rig.until(is_taken)
    assert rig.backlog("proj_1") == Backlog(waiting=2, working=1, is_whole=False)
    assert rig.backlog("proj_2") == Backlog(waiting=1, working=0, is_whole=True)
    assert rig.backlog("proj_3") == Backlog(0, 0, is_whole=True)
    may_end.set()
    for its_id in its_ids:
        await rig.until_types(its_id, Stitched)
    await rig.until(is_done)


async def test_a_project_with_more_jobs_than_fit_into_memory_holds_up_no_other_and_loses_none(rig, monkeypatch):
    monkeypatch.setattr(jobs, "MOST_BEGUN", 2)
    monkeypatch.setattr(jobs, "MOST_WAITING", 3)
    go_on = asyncio.Event()

    async def stuck_for_the_flood(its_id, _):
        if its_id in flood:
            await go_on.wait()
        return record_stitched()

    async def as_many_as_may_have_begun():
        return len(set(rig.worked) & set(flood)) == 2

    flood = [await rig.finalized("hostile") for _ in range(30)]
    rig.follow(stuck_for_the_flood)
    honest = await rig.finalized("honest")
    await rig.until_types(honest, Stitched)
    await rig.until(as_many_as_may_have_begun)
    assert len(rig.worked) == 3
    more = [await rig.finalized("hostile") for _ in range(5)]
    go_on.set()
    for its_id in (*flood, *more):
        await rig.until_types(its_id, Stitched)
    assert sorted(rig.worked) == sorted([*flood, honest, *more])

    async def caught_up():
        return rig.positions.load("stitch") == rig.log.head

    await rig.until(caught_up)


async def test_a_job_that_did_not_fit_into_memory_is_done_after_a_crash_before_it_was_read_again(rig, monkeypatch):
    monkeypatch.setattr(jobs, "MOST_BEGUN", 1)
    monkeypatch.setattr(jobs, "MOST_WAITING", 3)  # a recording's chunk may make it due, too
    begun = asyncio.Event()

    async def never_reads(*_):
        begun.set()
        await asyncio.Event().wait()

    async def the_others_have_ended():
        return len(rig.worked) == 2 and begun.is_set()

    flood = [await rig.finalized() for _ in range(3)]
    with monkeypatch.context() as patched:
        patched.setattr(jobs.Jobs, "_read_on", never_reads)
        running = rig.follow(stitched)
        await rig.until(the_others_have_ended)
        await rig.until_types(flood[1], Stitched)
        running.cancel()
        await asyncio.wait([running])
    assert await rig.types(flood[2]) == []
    rig.follow(stitched)
    for its_id in flood:
        await rig.until_types(its_id, Stitched)
