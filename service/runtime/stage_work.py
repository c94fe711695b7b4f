"""What the stages' work is built from: worker processes, turns at them, and limits, as the settings say."""

from contextlib import AsyncExitStack
from datetime import timedelta
from random import Random

from adapters.blobs.port import BlobStore
from adapters.speech.opening import EngineSpec, preload
from adapters.worker_processes import WorkerProcesses
from service.application.clock import Clock
from service.application.live_recognition import LiveRecognition
from service.application.retry import RetryPolicy
from service.application.stage_parts import StageParts
from service.application.turns import Turns
from service.runtime.data_dir import empty_scratch_dir
from service.runtime.engines import note_writer
from service.runtime.settings import Settings

NOTES_AT_ONCE = 8
"""Notes that are written at the same time: each has a whole transcript in memory."""


def open_stage_parts(
    opened: AsyncExitStack,
    settings: Settings,
    *,
    blobs: BlobStore,
    recognition: LiveRecognition,
    engine: EngineSpec,
    clock: Clock,
    random: Random,
) -> StageParts:
    """The parts, whose worker processes end with `opened`."""
    turns = Turns(settings.worker_count)
    workers = WorkerProcesses(
        turns.places, initializer=preload, initargs=(engine,), job_memory_bytes=settings.worker_memory_bytes
    )
    opened.push_async_callback(workers.close)
    return StageParts(
        blobs=blobs,
        blob_store_url=settings.blob_store_url,
        scratch_dir=empty_scratch_dir(settings.data_dir),
        workers=workers,
        live_workers=recognition.workers,
        engine=engine,
        language=settings.language,
        note_writer=note_writer(settings),
        note_policy=RetryPolicy(first=timedelta(milliseconds=500), attempts=settings.note_writer_attempts),
        turns=turns,
        live_turns=recognition.turns,
        note_turns=Turns(NOTES_AT_ONCE),
        longest_recording=timedelta(hours=settings.max_recording_hours),
        stitch_limit=timedelta(hours=settings.stitch_hours),
        transcribe_limit=timedelta(hours=settings.transcribe_hours),
        note_limit=settings.note_limit,
        clock=clock,
        random=random,
    )
