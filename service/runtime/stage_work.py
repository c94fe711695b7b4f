"""What the stages' work is built from: worker processes, turns at them, and limits, as the settings say."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from uuid import UUID

from adapters.blobs.port import BlobStore
from adapters.claims.port import Claims
from adapters.event_log.log import EventLog
from adapters.positions import PositionStore
from adapters.speech.opening import EngineSpec, preload
from adapters.worker_processes import WorkerProcesses
from service.application.clock import Clock
from service.application.live_recognition import LiveRecognition
from service.application.metrics import Metrics
from service.application.recordings import Recordings
from service.application.retry import RetryPolicy
from service.application.stage_parts import StageParts
from service.application.stages import STAGES
from service.application.turns import Turns
from service.application.worker_store import open_ahead
from service.dialects.dorsum.settings import DorsumSettings
from service.followers.stage_follower import StageFollower
from service.runtime.data_dir import empty_scratch_dir
from service.runtime.engines import note_writer, usable_engine
from service.runtime.settings import Settings

NOTES_AT_ONCE = 8
"""Notes that are written at the same time: each has a whole transcript in memory."""


@dataclass(frozen=True, slots=True)
class Workers:
    """The worker processes, the engine that each has loaded, and who is next at them."""

    turns: Turns
    processes: WorkerProcesses
    engine: EngineSpec


def open_workers(opened: AsyncExitStack, settings: Settings) -> Workers:
    """The processes end with `opened`; none is started yet."""
    turns, engine = Turns(settings.worker_count), usable_engine(settings)
    processes = WorkerProcesses(
        turns.most_begun,
        initializer=_prepare,
        initargs=(engine, settings.blob_store_url),
        job_memory_bytes=settings.worker_memory_bytes,
    )
    opened.push_async_callback(processes.close)
    return Workers(turns, processes, engine)


def _prepare(engine: EngineSpec, blob_store_url: str) -> None:
    """First thing in a worker process."""
    open_ahead(blob_store_url)
    preload(engine)


def listening_process(settings: Settings) -> WorkerProcesses:
    """One that decodes a recording while it arrives; it is not started yet, and has no speech model."""
    return WorkerProcesses(
        1,
        initializer=open_ahead,
        initargs=(settings.blob_store_url,),
        job_memory_bytes=settings.worker_memory_bytes,
    )


def live_recognition(settings: Settings, workers: Workers) -> LiveRecognition:
    return LiveRecognition(
        workers.turns,
        workers.processes,
        worker_count=settings.worker_count,
        most_waiting=settings.section(DorsumSettings).dorsum_waiting,
        blob_store_url=settings.blob_store_url,
        engine=workers.engine,
    )


def stage_parts_of(
    settings: Settings, workers: Workers, *, recordings: Recordings, blobs: BlobStore, clock: Clock, random: Random
) -> StageParts:
    return StageParts(
        recordings=recordings,
        blobs=blobs,
        blob_store_url=settings.blob_store_url,
        scratch_dir=empty_scratch_dir(settings.data_dir),
        workers=workers.processes,
        engine=workers.engine,
        language=settings.language,
        note_writer=note_writer(settings),
        note_policy=RetryPolicy(first=timedelta(milliseconds=500), attempts=settings.note_writer_attempts),
        turns=workers.turns,
        note_turns=Turns(NOTES_AT_ONCE),
        longest_recording=timedelta(hours=settings.max_recording_hours),
        stitch_limit=timedelta(hours=settings.stitch_hours),
        transcribe_limit=timedelta(hours=settings.transcribe_hours),
        note_limit=settings.note_limit,
        clock=clock,
        random=random,
    )


def stage_policy(settings: Settings) -> RetryPolicy:
    """How often a stage is tried that breaks."""
    return RetryPolicy(
        first=timedelta(seconds=1), factor=3, longest=timedelta(minutes=5), attempts=settings.stage_attempts
    )


def stage_followers(
    settings: Settings,
    parts: StageParts,
    *,
    claims: Claims,
    on_gone: Callable[[UUID], Awaitable[None]],
    log: EventLog,
    positions: PositionStore,
    metrics: Metrics,
) -> Iterator[StageFollower]:
    """One for each stage. `on_gone`: see `StageFollower`."""
    for stage in STAGES.values():
        yield StageFollower(
            stage,
            stage.open_work(parts),
            on_gone=on_gone,
            claims=claims,
            log=log,
            recordings=parts.recordings,
            positions=positions,
            policy=stage_policy(settings),
            clock=parts.clock,
            random=parts.random,
            metrics=metrics,
        )
