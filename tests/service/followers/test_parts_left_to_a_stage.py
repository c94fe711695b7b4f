"""A stage takes over the part of a recording that is being heard ahead: with a clock for turns that the test turns."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import psutil
import pytest

from adapters.audio.decoding import SAMPLE_RATE
from adapters.worker_processes import WorkerProcesses
from domain.commands import FinalizeRecording
from service.application.part_orders import hear_part
from service.application.project_turns import Urgency
from service.application.turns import Turns
from tests.adapters.audio.samples import wav
from tests.domain.histories import open_recording
from tests.service.followers.test_head_start import PATIENCE_SECONDS, rig_in, sliced, speech

pytestmark = pytest.mark.slow


def held(folder, function, order):
    """In a worker: the function's result, once it is let go."""
    (folder / f"{order.start_sample}").touch()
    while not (folder / "let go").exists():
        time.sleep(0.01)
    return function(order)


class HeldWorkers(WorkerProcesses):
    """They hear no part before `let_go`."""

    def __init__(self, count, folder):
        super().__init__(count)
        self._folder = folder
        folder.mkdir()

    async def run(self, function, *arguments, **how):
        if function is not hear_part:
            return await super().run(function, *arguments, **how)
        return await super().run(held, self._folder, function, *arguments, **how)

    async def have_begun(self):
        await until(lambda: any(self._folder.iterdir()))

    def let_go(self):
        (self._folder / "let go").touch()

    def standing(self):
        return {pid for pid in self.pids if psutil.Process(pid).status() == psutil.STATUS_STOPPED}


async def until(holds):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def left_to_a_stage(tmp_path):
    """A rig with a complete recording, and a stage that waits for the one part of it that is being heard.

    `rig.now`: what the clock of the turns says. One of two places is free.
    """
    silence = np.zeros(115 * SAMPLE_RATE, np.int16)
    chunks = sliced(wav(np.concatenate([speech(10), silence, speech(5)]).reshape(1, -1)), 300_000)
    async with rig_in(tmp_path) as rig:
        await rig.stop()
        await rig.workers.close()
        rig.now, rig.workers, rig.total = 0.0, HeldWorkers(6, tmp_path / "held"), len(chunks)
        rig.turns = Turns(2, clock=lambda: rig.now)
        rig.parts = replace(rig.parts, workers=rig.workers, turns=rig.turns)
        rig.start()
        await rig.open()
        async with rig.turns.turn("other", Urgency.SHORT):
            await rig.store_all(chunks)
            await rig.workers.have_begun()
            await rig.recordings.execute(rig.id, FinalizeRecording(at=open_recording().at, total_chunks=rig.total))
            assert await rig.parts.arriving.whole(rig.id) is not None
            rig.now += 2
            taken_over = asyncio.Event()
            waiting = asyncio.create_task(wait_as_a_stage(rig, taken_over))
            await until(taken_over.is_set)
        yield rig, waiting


async def wait_as_a_stage(rig, has_taken_over):
    async with rig.turns.turn("project", Urgency.SHORT) as turn:
        await until(rig.workers.standing)
        leaving = asyncio.create_task(rig.parts.arriving.left_to(turn, rig.id))
        await until(lambda: not rig.workers.standing())
        has_taken_over.set()
        await leaving


async def test_a_part_that_a_stage_waits_for_does_not_stand_still_for_what_others_listen_to(tmp_path):
    async def listen(rig, project):
        async with rig.turns.turn(project, Urgency.ALONG):
            await asyncio.Event().wait()

    async with left_to_a_stage(tmp_path) as (rig, stage):
        rig.now += 2
        listening = [asyncio.create_task(listen(rig, project)) for project in ("one", "two")]
        await asyncio.sleep(0)
        rig.workers.let_go()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await stage
        assert len(await rig.heard()) == 1
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)


async def test_a_part_that_a_stage_has_taken_over_ends_with_the_stage_and_is_heard_by_the_next(tmp_path):
    async with left_to_a_stage(tmp_path) as (rig, stage):
        worker = rig.workers.pids
        stage.cancel()
        await asyncio.gather(stage, return_exceptions=True)
        await until(lambda: not worker & rig.workers.pids)
        rig.workers.let_go()
        await rig.finish(rig.total)
        assert sorted(event.number for event in await rig.heard()) == [1, 2, 3]
