"""Runs a job for each event that may cause one, several in parallel: the part that followers which do work share.

A job that was cut off, by a crash or a restart, is run again: what it does must be idempotent.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from random import Random
from uuid import UUID

from adapters.blobs.port import StorageFull, StorageUnavailable
from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.event_log.port import LogUnavailable
from adapters.positions import PositionStore
from service.application.metrics import Metrics
from service.application.retry import RetryPolicy
from service.application.streams import Contended
from service.application.trace import trace_id

logger = logging.getLogger(__name__)

MOST_UNFINISHED = 1_000
"""Jobs begun and not ended; beyond this the follower reads no further."""

OUT_OF_SERVICE = (StorageFull, StorageUnavailable, LogUnavailable, Contended)
"""Not the subject's fault: waited out, however long it takes, and not counted as an attempt."""

WAITING = RetryPolicy(first=timedelta(seconds=1), longest=timedelta(seconds=30))


class Jobs:
    """One follower's jobs. Its saved position is the one before the first event whose job has not ended.

    `wanted`: whether an event may cause a job. `do` does it; whatever it raises, it is called again after a while.
    `about`: what log lines say of an event.
    """

    def __init__(
        self,
        name: str,
        *,
        wanted: Callable[[RecordedEvent], bool],
        do: Callable[[RecordedEvent], Awaitable[None]],
        about: Callable[[RecordedEvent], Mapping[str, str]],
        log: EventLog,
        positions: PositionStore,
        random: Random,
        metrics: Metrics,
    ) -> None:
        self._name = name
        self._wanted = wanted
        self._do = do
        self._about = about
        self._log = log
        self._positions = positions
        self._random = random
        self._metrics = metrics
        self._read_up_to = 0
        self._saved = 0
        self._stopping = False
        self._unfinished: dict[int, asyncio.Task[None]] = {}
        self._newest: dict[UUID, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(MOST_UNFINISHED)

    async def run(self) -> None:
        """Follow the log until cancelled."""
        self._read_up_to = self._saved = self._positions.load(self._name)
        self._stopping = False
        try:
            async for events in self._log.follow(after=self._read_up_to):
                for recorded in events:
                    if self._wanted(recorded):
                        await self._room.acquire()
                        self._begin(recorded)
                self._read_up_to = events[-1].position
                self._save_position()
        finally:
            await self._stop()

    async def _stop(self) -> None:
        self._stopping = True
        jobs = list(self._unfinished.values())
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    def _begin(self, recorded: RecordedEvent) -> None:
        """Start a job; jobs of one stream run one after another."""
        before = self._newest.get(recorded.stream_id)
        job = asyncio.create_task(self._run_job(recorded, before), name=f"{self._name} {recorded.stream_id}")
        self._unfinished[recorded.position] = job
        self._newest[recorded.stream_id] = job
        job.add_done_callback(lambda job: self._ended(recorded, job))

    def _ended(self, recorded: RecordedEvent, job: asyncio.Task[None]) -> None:
        self._room.release()
        del self._unfinished[recorded.position]
        if self._newest.get(recorded.stream_id) is job:
            del self._newest[recorded.stream_id]
        if not (self._stopping or job.cancelled()):  # a stopped job has not ended
            self._save_position()

    def _save_position(self) -> None:
        position = min(self._unfinished, default=self._read_up_to + 1) - 1
        if position > self._saved:
            self._positions.save(self._name, position)
            self._saved = position
            self._metrics.follower_position.labels(self._name).set(position)

    async def _run_job(self, recorded: RecordedEvent, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        trace_id.set(recorded.trace_id)
        for delay in WAITING.delays(self._random):
            try:
                await self._do(recorded)
            except OUT_OF_SERVICE as error:
                logger.warning("job waits", extra={**self._about(recorded), "because": str(error)})
            except Exception:  # a job given up here would be skipped permanently
                logger.exception("job could not be settled; it is tried again", extra=self._about(recorded))
            else:
                return
            await asyncio.sleep(delay.total_seconds())
