"""Does the stages' work for a service on another machine: what that and others like this do not do at the moment."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from random import Random

from aiohttp import web

from adapters.blobs.bucket.arrival import discard_unfinished, incoming_in
from adapters.blobs.opening import open_store
from adapters.blobs.port import BlobStore
from adapters.event_log.log import EventLog
from adapters.event_log.opening import open_log, require_log
from adapters.positions import PositionsOfAnother
from service.application.clock import Clock, utc_now
from service.application.metrics import Metrics
from service.application.recording_snapshots import RecordingSnapshots
from service.application.recordings import Recordings
from service.dialects.http.limits import Limits
from service.followers.deletion import erase_recording
from service.followers.supervision import Supervision
from service.runtime.claiming import open_claims
from service.runtime.collector import settle_collector
from service.runtime.data_dir import owned_data_dir
from service.runtime.disk_metrics import DiskMetrics
from service.runtime.draining import Drain, StopSignals
from service.runtime.listening import listen_at_operations_port
from service.runtime.memory import settle_allocator
from service.runtime.operations import ProcessOperations
from service.runtime.places import positions_place
from service.runtime.presence import join_service
from service.runtime.readiness import ProcessParts, Readiness
from service.runtime.server import named_start_failures
from service.runtime.settings import Settings
from service.runtime.stage_work import open_workers, stage_followers, stage_parts_of
from service.runtime.tasks import end_tasks
from service.runtime.web import application_for_operators, runner_within

logger = logging.getLogger("tapedeck")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningWork:
    """What operators ask for."""

    log: EventLog
    blobs: BlobStore
    metrics: Metrics


async def work(settings: Settings) -> None:
    """Work until SIGINT or SIGTERM; what is not done by then is done elsewhere.

    Raises: StartRefused; NoEventLog, LogUnavailable.
    """
    signals, drain = StopSignals(), Drain()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, signals.came)
    settle_allocator()
    async with AsyncExitStack() as running:
        with named_start_failures("worker"):
            opened = await running.enter_async_context(open_work(settings))
            if settings.operations_port is not None:
                server = runner_within(Limits.from_settings(settings), _application(opened, settings, drain))
                await listen_at_operations_port(server, drain, settings, running)
        settle_collector()
        logger.info("working", extra={"data_dir": str(settings.data_dir)})
        await signals.first()
        drain.begin()
        logger.info("stopping")


@asynccontextmanager
async def open_work(settings: Settings, *, clock: Clock = utc_now) -> AsyncIterator[RunningWork]:
    """The stages' followers, until the block ends.

    Raises: NoEventLog; what `service.runtime.server` calls START_FAILURES.
    """
    async with AsyncExitStack() as opened:
        opened.enter_context(owned_data_dir(settings.data_dir))
        discard_unfinished(incoming_in(settings.bucket_folder))
        metrics, random = Metrics(), Random()  # noqa: S311 - for jitter
        metrics.registry.register(DiskMetrics(settings))
        require_log(settings.log_url)
        await join_service(opened, settings)
        found = open_log(settings.log_url)
        log = EventLog(
            found.recorder,
            on_commit=metrics.committed,
            on_commit_seconds=metrics.commit_seconds.observe,
            on_commit_failed=metrics.commit_failures.inc,
            is_shared=True,
        )
        opened.push_async_callback(log.close)
        blobs = open_store(settings.blob_store_url, small_bytes=settings.segment_body_bytes)
        opened.push_async_callback(blobs.close)
        positions = PositionsOfAnother(positions_place(settings))
        opened.callback(positions.close)
        recordings = Recordings(log, snapshots=RecordingSnapshots(found.snapshots), is_shared=True)
        opened.push_async_callback(recordings.close)
        workers, claims = open_workers(opened, settings), open_claims(opened, settings)
        parts = stage_parts_of(settings, workers, recordings=recordings, blobs=blobs, clock=clock, random=random)
        followers = stage_followers(
            settings,
            parts,
            claims=claims,
            on_gone=partial(erase_recording, blobs, recordings),
            log=log,
            positions=positions,
            metrics=metrics,
        )
        supervision = Supervision(log, random)
        tasks = [
            asyncio.create_task(supervision.keep_running(each.name, each.run), name=each.name) for each in followers
        ]
        opened.push_async_callback(end_tasks, tasks)
        yield RunningWork(log=log, blobs=blobs, metrics=metrics)


def _application(opened: RunningWork, settings: Settings, drain: Drain) -> web.Application:
    """What operators ask."""
    readiness = Readiness(ProcessParts(settings, drain, opened.log, opened.blobs))
    operations = ProcessOperations(opened.metrics, readiness, opened.log)
    return application_for_operators(opened.metrics, operations, drain=drain)
