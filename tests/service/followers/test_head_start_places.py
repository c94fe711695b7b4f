"""Who is listened to while they arrive, and from where on; with a recognizer for whom each chunk is one second."""

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest

from adapters.audio.decoding import SAMPLE_RATE
from adapters.speech.cutting import Span
from adapters.speech.transcript import TranscriptWord
from adapters.worker_processes import WorkerDied
from domain.commands import DeleteRecording
from service.application.listening_orders import Listened, NotListening
from service.dialects.bota.live.places import Basis
from service.dialects.bota.live.so_far import SoFar
from service.followers import head_start
from service.followers.listened_recording import WORTH_BYTES
from tests.domain.histories import open_recording
from tests.service.followers.test_head_start import PATIENCE_SECONDS, rig_in

SMALL, LARGE = b"a second", bytes(WORTH_BYTES)


class Gate:
    """What is asked is answered while it is open."""

    def __init__(self):
        self._is_open, self._is_asked = asyncio.Event(), asyncio.Event()
        self._is_open.set()

    async def passed(self):
        self._is_asked.set()
        await self._is_open.wait()

    def close(self):
        self._is_open.clear()
        self._is_asked.clear()

    def open(self):
        self._is_open.set()

    async def until_asked(self):
        await until(self._is_asked.is_set)


class Processes:
    """All that listen. `deaths_due`: how often one of them dies of what it is asked next. `begun`: the recordings that
    they began to listen to."""

    def __init__(self):
        self.deaths_due = 0
        self.begun = []
        self.gate = Gate()


class OneProcess:
    """Has each second of its recording as a window, and knows nothing of what it heard before it died."""

    pids = ()

    def __init__(self, processes):
        self._all = processes
        self._name = None
        self._seconds = 0

    async def run(self, _, order, **_how):
        if order.begins:
            self._all.begun.append(order.name)
            self._name, self._seconds = order.name, 0
        if self._all.deaths_due:
            self._all.deaths_due -= 1
            self._name = None
            raise WorkerDied
        if order.name != self._name:
            raise NotListening
        await self._all.gate.passed()
        self._seconds += len(order.chunk_keys)
        if order.windows_since is None:
            return Listened([], has_ended=False)
        starts = [start for start in range(self._seconds) if start * SAMPLE_RATE >= order.windows_since]
        cut = [Span(start * SAMPLE_RATE, np.zeros(SAMPLE_RATE, np.int16)) for start in starts]
        return Listened([], False, [*cut, Span(self._seconds * SAMPLE_RATE, np.zeros(0, np.int16))])

    async def close(self):
        pass


class Counts:
    """Workers that hear a word in each second of a window: its number."""

    def __init__(self):
        self.gate = Gate()

    async def run(self, _, order, **_how):
        await self.gate.passed()
        start = order.window.start_sample // SAMPLE_RATE
        seconds = range(start, start + len(order.window.samples) // SAMPLE_RATE)
        return tuple(TranscriptWord(start=at + 0.1, end=at + 0.9, text=str(at), confidence=1.0) for at in seconds)


@pytest.fixture
async def rig(tmp_path):
    """With one place."""
    async with rig_in(tmp_path) as rig:
        await rig.stop()
        rig.processes = Processes()
        rig.new_process = lambda: OneProcess(rig.processes)
        rig.parts = replace(rig.parts, workers=Counts())
        rig.start()
        await rig.open()
        yield rig


async def another(rig):
    rig.id = uuid4()
    await rig.open()
    return rig.id


async def until(is_so):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():
            await asyncio.sleep(0.005)


class Told:
    """What one who listens was told, from the start of the recording."""

    def __init__(self, speech):
        self._speech = speech
        self._so_far = SoFar(Basis())

    async def until(self, words):
        """Wait until it is these words, and no others."""
        await until(lambda: self._words() == words)

    def _words(self):
        self._so_far.add_windows(self._speech)
        return " ".join(line.told.text for line in self._so_far.lines)


@contextmanager
def listening(rig):
    with rig.live.listened_to(rig.id) as speech:
        yield Told(speech)


async def test_who_comes_back_before_the_next_chunk_is_told_again_what_no_part_has_yet(rig):
    with listening(rig) as before:
        await rig.store(1, SMALL)
        await rig.store(2, SMALL)
        await before.until("0 1")
    with listening(rig) as back:
        await back.until("0 1")
        await rig.store(3, SMALL)
        await back.until("0 1 2")


@pytest.mark.parametrize("at_work", ["the process that decodes", "a worker that hears"])
async def test_who_comes_while_work_is_done_for_another_is_told_all_and_the_other_nothing_twice(rig, at_work):
    gate = rig.processes.gate if at_work == "the process that decodes" else rig.parts.workers.gate
    with listening(rig) as first:
        await rig.store(1, SMALL)
        await first.until("0")
        gate.close()
        await rig.store(2, SMALL)
        await gate.until_asked()
        with listening(rig) as second:
            gate.open()
            await second.until("0 1")
            await rig.store(3, SMALL)
            await second.until("0 1 2")
        await first.until("0 1 2")
    assert rig.processes.begun == [str(rig.id)]


async def test_a_large_recording_gets_the_place_of_a_small_one_to_which_nobody_listens_any_more(rig):
    with listening(rig) as looks:
        await rig.store(1, SMALL)
        await looks.until("0")
    small, large = rig.id, await another(rig)
    await rig.store(1, LARGE)
    await until(lambda: str(large) in rig.processes.begun)
    await rig.recordings.execute(large, DeleteRecording(at=open_recording().at))
    await rig.until_read()
    rig.id = small
    with listening(rig) as looks_again:
        await looks_again.until("0")


async def test_a_small_one_to_which_somebody_listens_keeps_its_place(rig):
    with listening(rig) as listener:
        await rig.store(1, SMALL)
        await listener.until("0")
        small = rig.id
        await another(rig)
        await rig.store(1, LARGE)
        await rig.until_read()
        rig.id = small
        await rig.store(2, SMALL)
        await listener.until("0 1")
        assert rig.processes.begun == [str(small)]


async def test_who_listens_is_told_what_comes_after_the_process_that_decodes_has_died(rig):
    with listening(rig) as listener:
        await rig.store(1, SMALL)
        await listener.until("0")
        rig.processes.deaths_due = 1
        await rig.store(2, SMALL)
        await listener.until("0 1")


async def test_a_recording_of_which_processes_die_again_and_again_is_given_up(rig):
    deadly = rig.id
    rig.processes.deaths_due = 1_000
    await rig.store(1, LARGE)
    await until(lambda: len(rig.processes.begun) == head_start.MOST_BEGINNINGS)
    for number in range(2, 5):
        await rig.store(number, LARGE)
        await rig.until_read()
    rig.processes.deaths_due = 0
    other = await another(rig)
    with listening(rig) as listener:
        await rig.store(1, SMALL)
        await listener.until("0")
    assert rig.processes.begun == [str(deadly)] * head_start.MOST_BEGINNINGS + [str(other)]


async def test_one_that_gave_its_place_because_nothing_came_is_heard_again_when_something_comes(rig, monkeypatch):
    monkeypatch.setattr(head_start, "IDLE", timedelta(0))
    first = rig.id
    with listening(rig) as listener:
        await rig.store(1, LARGE)
        await listener.until("0")
        second = await another(rig)
        await rig.store(1, LARGE)
        await until(lambda: str(second) in rig.processes.begun)
        rig.id = first
        await rig.store(2, LARGE)
        await listener.until("0 1")


async def test_what_is_let_go_has_ended_when_that_returns_and_is_not_begun_again(rig):
    rig.processes.gate.close()
    await rig.store(1, LARGE)
    await rig.processes.gate.until_asked()
    work = rig.follower._listened[rig.id].task
    await rig.follower.let_go(rig.id)
    assert not rig.follower._listened
    assert work.done()
    rig.processes.gate.open()
    await rig.store(2, LARGE)
    await rig.until_read()
    assert rig.processes.begun == [str(rig.id)]
    await rig.follower.let_go(uuid4())  # one that it never knew
