"""Several processes follow one log and do a stage's jobs: each job is done by one of them at a time."""

import asyncio
from datetime import timedelta
from random import Random
from uuid import uuid4

import pytest

from adapters.claims import port
from adapters.event_log.log import EventLog
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.positions import PositionStore
from domain.commands import RecordStitched
from domain.events import Stage, Stitched
from service.application.claimed_jobs import stage_job
from service.application.metrics import Metrics
from service.application.project_turns import Urgency
from service.application.recordings import Recordings
from service.application.retry import RetryPolicy
from service.application.stage_parts import Effort
from service.application.stages import STAGES
from service.application.turns import Turns
from service.followers.stage_follower import StageFollower
from tests.domain.histories import at, finalize, open_recording, record_stitched, store_chunk
from tests.tools.simulation.memory_claims import MemoryClaims, MemoryLocks


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    monkeypatch.setattr(port, "LOOK_SECONDS", 0.01)


class HeldRecordings(Recordings):
    """Results are recorded while `may_record` is set."""

    def __init__(self, log):
        super().__init__(log)
        self.may_record, self.wants_to_record = asyncio.Event(), asyncio.Event()
        self.may_record.set()

    async def execute(self, recording_id, command, **how):
        if isinstance(command, RecordStitched):
            self.wants_to_record.set()
            await self.may_record.wait()
        return await super().execute(recording_id, command, **how)


class Machine:
    """A process that stitches, with one place. While it is `held`, its work does not end."""

    def __init__(self, rig, name):
        self.claims = MemoryClaims(rig.locks, lambda: self.is_alive)
        self.recordings = HeldRecordings(rig.log)
        self.turns = Turns(1)
        self.is_alive = True
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.begun, self.cut = [], []
        self._positions = PositionStore(rig.directory / f"{name}.sqlite3")
        follower = StageFollower(
            STAGES[Stage.STITCH],
            self,
            on_gone=self._gone,
            claims=self.claims,
            log=rig.log,
            recordings=self.recordings,
            positions=self._positions,
            policy=RetryPolicy(first=timedelta(0), longest=timedelta(0), attempts=3),
            clock=lambda: at(5),
            random=Random(1),
            metrics=Metrics(),
        )
        self._following = asyncio.create_task(follower.run())

    def awaits(self, project):
        """Whether a job of the project waits for a turn."""
        return any(self.turns._projects[project].waiting.values())

    def effort(self, _):
        return Effort(self.turns, Urgency.SHORT, timedelta(minutes=1))

    async def do(self, recording_id, _, __):
        self.begun.append(recording_id)
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cut.append(recording_id)
            raise
        return record_stitched()

    async def _gone(self, _):
        """Nothing was stored."""

    async def kill(self):
        """Its claims end with it, before anything that it does."""
        self.is_alive = False
        await self.close()

    async def close(self):
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)


class Rig:
    def __init__(self, directory):
        self.directory = directory
        self.locks = MemoryLocks()
        self.log = EventLog(SQLiteLogRecorder(directory / "log.sqlite3"))
        self._recordings = Recordings(self.log)
        self._machines = []

    def machine(self):
        self._machines.append(Machine(self, f"machine-{len(self._machines)}"))
        return self._machines[-1]

    async def finalized(self, **opening):
        its_id = uuid4()
        for command in (open_recording(**opening), store_chunk(1), finalize(1)):
            await self._recordings.execute(its_id, command)
        return its_id

    async def until_stitched(self, its_id):
        await until(lambda: self.is_stitched(its_id))

    async def is_stitched(self, its_id):
        return [type(recorded.event) for recorded in await self.log.history(its_id)][3:] == [Stitched]

    async def close(self):
        for machine in self._machines:
            await machine.close()
            machine._positions.close()
        await self.log.close()


async def until(condition):
    async with asyncio.timeout(120):
        while not await condition():
            await asyncio.sleep(0.001)


async def until_true(condition):
    async def is_true():
        return condition()

    await until(is_true)


@pytest.fixture
async def rig(tmp_path):
    rig = Rig(tmp_path)
    yield rig
    await rig.close()


async def test_each_job_is_done_by_one_of_the_processes(rig):
    one, other = rig.machine(), rig.machine()
    ids = [await rig.finalized() for _ in range(30)]
    for its_id in ids:
        await rig.until_stitched(its_id)
    assert sorted(one.begun + other.begun) == sorted(ids)


async def test_a_job_that_another_process_does_keeps_no_place(rig):
    one = rig.machine()
    one.may_end.clear()
    long = await rig.finalized()
    await until_true(lambda: one.begun)
    other = rig.machine()
    short = [await rig.finalized() for _ in range(3)]
    for its_id in short:
        await rig.until_stitched(its_id)
    one.may_end.set()
    await rig.until_stitched(long)
    assert long not in other.begun


async def test_a_project_s_job_comes_before_those_of_another_which_wait_on_all_machines(rig):
    machines = rig.machine(), rig.machine()
    for machine in machines:
        machine.may_end.clear()
    many = [await rig.finalized(tenant_id="many") for _ in range(20)]
    for machine in machines:
        await until_true(lambda machine=machine: machine.begun and machine.awaits("many"))
    one = await rig.finalized(tenant_id="one")
    for machine in machines:
        await until_true(lambda machine=machine: machine.awaits("one"))
    for machine in machines:
        machine.may_end.set()
    for its_id in (one, *many):
        await rig.until_stitched(its_id)
    assert one in [machine.begun[1] for machine in machines]
    assert sorted(its_id for machine in machines for its_id in machine.begun) == sorted([one, *many])


async def test_the_job_of_a_process_that_is_gone_is_taken_over(rig):
    one = rig.machine()
    one.may_end.clear()
    its_id = await rig.finalized()
    await until_true(lambda: one.begun)
    other = rig.machine()
    await one.kill()
    await rig.until_stitched(its_id)
    assert other.begun == [its_id]


async def test_work_whose_claim_is_lost_ends_and_is_done_by_whoever_claims_it_next(rig):
    one = rig.machine()
    one.may_end.clear()
    its_id = await rig.finalized()
    await until_true(lambda: one.begun)
    one.claims.end_session()
    other = rig.machine()
    await rig.until_stitched(its_id)
    assert (other.begun, one.cut) == ([its_id], [])
    one.claims.notice()
    await until_true(lambda: one.cut)
    one.may_end.set()
    await one.close()
    assert await rig.is_stitched(its_id)


async def test_nobody_else_begins_before_the_result_is_in_the_log(rig):
    one = rig.machine()
    one.recordings.may_record.clear()
    its_id = await rig.finalized()
    await one.recordings.wants_to_record.wait()
    other = rig.machine()
    assert await other.claims.are_elsewhere([stage_job(Stage.STITCH, its_id)])
    async with one.turns.turn("another"):
        after = await rig.finalized()  # which the other one does, and so has looked at the first
        await rig.until_stitched(after)
    one.recordings.may_record.set()
    await rig.until_stitched(its_id)
    assert other.begun == [after]


async def test_what_was_done_elsewhere_is_not_done_again_though_an_older_state_is_in_memory(rig):
    one, other = rig.machine(), rig.machine()
    one.may_end.clear()
    async with other.turns.turn("another"):
        its_id = await rig.finalized()
        await until_true(lambda: other.recordings.in_memory(its_id, at_least=3) is not None)
        one.may_end.set()
        await rig.until_stitched(its_id)
    after = await rig.finalized()
    await rig.until_stitched(after)
    assert its_id not in other.begun


async def test_work_that_failed_is_tried_again_by_the_same_process(rig, caplog):
    one, tries = rig.machine(), []

    async def breaks(recording_id, _, __):
        tries.append(recording_id)
        if len(tries) < 3:
            raise OSError("broken pipe")
        return record_stitched()

    one.do = breaks
    other = rig.machine()
    async with other.turns.turn("another"):
        its_id = await rig.finalized()
        await rig.until_stitched(its_id)
    assert (tries, other.begun) == ([its_id] * 3, [])
