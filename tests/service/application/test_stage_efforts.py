"""What a stage's work takes: its limit does not grow with what a file says, and past it the work is stopped by name."""

import asyncio
import os
import time
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from uuid import uuid4

import psutil
import pytest

from adapters.blobs.opening import open_store
from adapters.notes.extractive import ExtractiveNoteWriter
from adapters.speech.opening import EngineSpec
from adapters.worker_processes import WorkerProcesses
from domain.events import RecordingKind
from service.application.clock import utc_now
from service.application.note_writing import NoteWriting
from service.application.order_writing import OrderWriting, WritingTookTooLong
from service.application.project_turns import Turn, Urgency
from service.application.retry import RetryPolicy
from service.application.stage_parts import Permit, StageParts, TookTooLong
from service.application.stitching import LONG_BYTES, Stitching
from service.application.transcribing import LEAST_LIMIT, Transcribing
from service.application.turns import SHORT, Turns
from tests.adapters.notes.test_extractive import transcript_of
from tests.domain.histories import chunk, finalized, given, note_ordered, opened, stitched, transcribed

HOUR = timedelta(hours=1)
HOUR_MS = 3_600_000


class HangingWriter:
    name = "hanging"

    async def write(self, *_):
        await asyncio.Event().wait()


@pytest.fixture
async def blobs(tmp_path):
    store = open_store(f"file://{tmp_path}/blobs")
    yield store
    await store.close()


def parts_with(blobs=None, **changes):
    chosen = {
        "recordings": None,
        "blobs": blobs,
        "blob_store_url": "",
        "scratch_dir": None,
        "workers": None,
        "engine": None,
        "language": "en",
        "note_writer": ExtractiveNoteWriter(),
        "note_policy": RetryPolicy(attempts=1),
        "turns": Turns(1),
        "note_turns": Turns(1),
        "longest_recording": 24 * HOUR,
        "stitch_limit": HOUR,
        "transcribe_limit": 12 * HOUR,
        "note_limit": timedelta(minutes=2),
        "clock": utc_now,
        "random": Random(1),
    }
    return StageParts(**chosen | changes)


def recording_of(duration_ms, **opening):
    audio = stitched().model_copy(update={"duration_ms": duration_ms})
    return given(opened(**opening), chunk(1), finalized(total=1), audio)


@pytest.mark.parametrize(
    ("duration_ms", "urgency", "limit"),
    [
        (60_000, Urgency.SHORT, LEAST_LIMIT + timedelta(minutes=3)),
        (HOUR_MS, Urgency.LONG, LEAST_LIMIT + 3 * HOUR),
        (24 * HOUR_MS, Urgency.LONG, 12 * HOUR),
        (10**15, Urgency.LONG, 12 * HOUR),
    ],
)
def test_the_limit_of_transcribing_grows_with_the_sound_up_to_what_is_set(duration_ms, urgency, limit):
    effort = Transcribing(parts_with()).effort(recording_of(duration_ms))
    assert (effort.urgency, effort.limit) == (urgency, limit)


def test_the_limit_of_stitching_is_what_is_set_and_many_bytes_are_known_to_take_long():
    small = given(opened(), chunk(1))
    large = given(opened(), chunk(1).model_copy(update={"size_bytes": LONG_BYTES + 1}))
    efforts = [Stitching(parts_with()).effort(recording) for recording in (small, large)]
    assert [(effort.urgency, effort.limit) for effort in efforts] == [(Urgency.SHORT, HOUR), (Urgency.LONG, HOUR)]


def test_who_is_speaking_does_not_wait_behind_recordings():
    live = recording_of(HOUR_MS, kind=RecordingKind.SAMPLES)
    for stage in (Stitching(parts_with()), Transcribing(parts_with())):
        assert stage.effort(live).urgency is Urgency.LIVE


async def test_a_worker_past_its_limit_is_stopped_by_name():
    workers = WorkerProcesses(1)
    parts = parts_with(workers=workers)
    with pytest.raises(TookTooLong) as caught:
        async with parts.turns.turn("project") as turn:
            await parts.in_worker(time.sleep, 600, Permit(timedelta(milliseconds=1), turn))
    assert (caught.value.reason, workers.pids) == ("took_too_long", frozenset())
    await workers.close()


@pytest.mark.slow
async def test_a_heavy_projects_worker_stands_still_while_a_light_ones_job_is_done(tmp_path):
    now = [0.0]
    turns = Turns(1, clock=lambda: now[0])
    workers = WorkerProcesses(turns.most_begun)
    parts = parts_with(workers=workers, turns=turns)

    async def job(project, function, order):
        async with turns.turn(project) as turn:
            return await parts.in_worker(function, order, Permit(HOUR, turn))

    begun, release = tmp_path / "begun", tmp_path / "release"
    heavy = asyncio.create_task(job("heavy", write_pid_and_wait, (begun, release)))
    pid = int(await asyncio.to_thread(content_of, begun))
    now[0] += 60
    assert await job("light", is_stopped, pid)
    release.touch()
    assert await heavy == "done"
    await workers.close()


async def test_a_job_that_only_waits_for_an_endpoint_is_not_paused():
    class Workers:
        async def run(self, *_, on_start, **__):
            raise NotImplementedError(on_start)

    here, elsewhere = EngineSpec(), EngineSpec(kind="openai", base_url="http://127.0.0.1:1")
    turn = Turn(Urgency.SHORT, 0)
    for engine, on_start in ((here, turn.is_used_by), (elsewhere, None)):
        transcribing = Transcribing(parts_with(workers=Workers(), engine=engine))
        with pytest.raises(NotImplementedError) as caught:
            await transcribing.do(uuid4(), recording_of(1), Permit(HOUR, turn))
        assert caught.value.args == (on_start,)


async def test_a_worker_that_is_stopped_while_it_stitches_leaves_nothing_of_the_recording(tmp_path):
    scratch, hanging = tmp_path / "scratch", tmp_path / "blobs/chunk/hanging"
    scratch.mkdir()
    hanging.parent.mkdir(parents=True)
    os.mkfifo(hanging)  # a chunk of which more never comes
    stored = chunk(1).model_copy(update={"blob_key": "chunk/hanging"})
    workers = WorkerProcesses(1)
    parts = parts_with(workers=workers, scratch_dir=scratch, blob_store_url=f"file://{tmp_path}/blobs")
    permit = Permit(HOUR, Turn(Urgency.SHORT, 0))
    stitching = asyncio.create_task(Stitching(parts).do(uuid4(), given(opened(), stored), permit))
    with await asyncio.to_thread(hanging.open, "wb", 0):  # once the worker reads it
        assert list(scratch.rglob("chunks")) != []
        stitching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stitching
    assert list(scratch.iterdir()) == []
    await workers.close()


@pytest.mark.parametrize(
    ("limit", "told"), [(timedelta(minutes=3), "3 min"), (HOUR, "1 h"), (timedelta(minutes=90), "1.5 h")]
)
def test_a_limit_is_told_in_minutes_or_hours(limit, told):
    assert str(TookTooLong(limit)) == f"The work took longer than {told} and was stopped."


async def test_a_note_that_is_never_written_is_given_up(blobs):
    transcript = await asyncio.to_thread(blobs.put_bytes, "transcript", transcript_of("A rash.").to_json())
    made = SimpleNamespace(blob_key=transcript.key)
    recording = SimpleNamespace(transcribed=made, edition=0)
    stage = NoteWriting(parts_with(blobs, note_writer=HangingWriter()))
    with pytest.raises(TookTooLong):
        await stage.do(uuid4(), recording, Permit(timedelta(milliseconds=1), Turn(Urgency.SHORT, 0)))


async def test_an_ordered_note_that_is_never_written_is_given_up_and_leaves_its_turn(blobs):
    transcript = await asyncio.to_thread(blobs.put_bytes, "transcript", transcript_of("A rash.").to_json())
    turns = Turns(1)
    writing = OrderWriting(
        blobs,
        HangingWriter(),
        turns=turns,
        limit=timedelta(milliseconds=1),
        policy=RetryPolicy(attempts=1),
        clock=utc_now,
        random=Random(1),
    )
    with pytest.raises(WritingTookTooLong) as caught:
        await writing.work(uuid4(), note_ordered(transcript_key=transcript.key))
    assert caught.value.reason == "took_too_long"
    async with asyncio.timeout(60), turns.turn("another"):
        pass


def test_a_usual_note_is_short_and_one_that_may_take_long_by_the_settings_is_not():
    recording = given(opened(), chunk(1), finalized(total=1), stitched(), transcribed())
    for limit, urgency in ((SHORT, Urgency.SHORT), (2 * SHORT, Urgency.LONG)):
        assert NoteWriting(parts_with(note_limit=limit)).effort(recording).urgency is urgency


def write_pid_and_wait(order):
    begun, release = order
    begun.with_suffix(".part").write_text(str(os.getpid()))
    begun.with_suffix(".part").rename(begun)
    while not release.exists():
        time.sleep(0.01)
    return "done"


def is_stopped(pid):
    """In a worker: a signal to stop may take a moment."""
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
        time.sleep(0.01)
    return True


def content_of(path):
    while not path.exists():
        time.sleep(0.01)
    return path.read_text()
