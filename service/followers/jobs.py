"""Runs a job for each event that may cause one, several in parallel: the part that followers which do work share.

A job that was cut off, by a crash or a restart, is run again: what it does must be idempotent. A job ends when its
recording is deleted, whether it runs or waits.

No project holds up another: each has its own jobs, of which `MOST_BEGUN` are begun and `MOST_WAITING` more are in
memory. The events of further ones are read again when these have ended.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from heapq import heappop, heappush
from random import Random
from uuid import UUID

from adapters.blobs.port import StorageFull, StorageUnavailable
from adapters.claims.port import ClaimsUnavailable
from adapters.database.port import ServerAway
from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.event_log.port import LogUnavailable
from adapters.positions import PositionStore
from domain.events import RecordingDeleted
from service.application.clock import Clock
from service.application.metrics import Metrics
from service.application.retry import RetryPolicy
from service.application.streams import Contended
from service.application.trace import trace_id

logger = logging.getLogger(__name__)

MOST_BEGUN = 1_000
"""A project's jobs that are begun and not ended. Most of them wait for their turn; each takes a few kilobytes."""

MOST_WAITING = 1_000
"""A project's jobs that are in memory and not begun."""

OUT_OF_SERVICE = (StorageFull, StorageUnavailable, LogUnavailable, ServerAway, ClaimsUnavailable, Contended)
"""Not the subject's fault: waited out, however long it takes, and not counted as an attempt."""

WAITING = RetryPolicy(first=timedelta(seconds=1), longest=timedelta(seconds=30))

ProjectsOf = Callable[[Collection[UUID]], Awaitable[Mapping[UUID, str]]]
"""The project of each of these recordings. Raises: LogUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """What a follower's jobs are.

    `wanted`: whether an event may cause a job. `recording_of`: the recording that it is about. `do` does it; whatever
    it raises, it is called again after a while. `on_gone` is called instead once the recording is deleted: what the
    job may have stored must go; None: the job goes on. `about`: what log lines say of an event.
    """

    name: str
    wanted: Callable[[RecordedEvent], bool]
    recording_of: Callable[[RecordedEvent], UUID]
    do: Callable[[RecordedEvent], Awaitable[None]]
    on_gone: Callable[[UUID], Awaitable[None]] | None
    about: Callable[[RecordedEvent], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Unended:
    """A project's jobs that have not ended. Not `is_whole`: further ones are not read yet."""

    count: int
    is_whole: bool


@dataclass(slots=True, eq=False)
class _Job:
    recorded: RecordedEvent
    recording_id: UUID
    queue: "_Queue"
    task: asyncio.Task[None] | None = None
    has_begun: bool = False
    is_cut: bool = False
    """Whether its recording is deleted."""


@dataclass(slots=True, eq=False)
class _Queue:
    """One project's jobs. `unread_after`: the position after which its events are to be read again; None if none is."""

    waiting: deque[_Job] = field(default_factory=deque)
    begun: int = 0
    unread_after: int | None = None
    reading: asyncio.Task[None] | None = None


class Jobs:
    """One follower's jobs. Its saved position is the one before the first event whose job has not ended."""

    def __init__(
        self,
        kind: JobKind,
        *,
        projects_of: ProjectsOf,
        log: EventLog,
        positions: PositionStore,
        clock: Clock,
        random: Random,
        metrics: Metrics,
    ) -> None:
        self._kind = kind
        self._projects_of = projects_of
        self._log = log
        self._positions = positions
        self._random = random
        self._clock = clock
        self._metrics = metrics
        self._begin_anew()
        metrics.jobs.labels(kind.name).set_function(lambda: len(self._unfinished))
        metrics.oldest_job_seconds.labels(kind.name).set_function(self._oldest_seconds)

    def _begin_anew(self) -> None:
        self._read_up_to = self._saved = 0
        self._stopping = self._wait_for_the_log = False
        self._unfinished: dict[int, _Job] = {}
        self._oldest_first: list[int] = []
        self._of_recording: defaultdict[UUID, list[_Job]] = defaultdict(list)
        self._newest: dict[UUID, asyncio.Task[None]] = {}
        self._queues: dict[str, _Queue] = {}

    def _oldest_seconds(self) -> float:
        if not self._unfinished:
            return 0.0
        caused_at = self._unfinished[min(self._unfinished)].recorded.event.at
        return max(0.0, (self._clock() - caused_at).total_seconds())

    def of_project(self, project: str) -> Unended:
        queue = self._queues.get(project, _Queue())
        return Unended(len(queue.waiting) + queue.begun, is_whole=queue.unread_after is None)

    async def run(self) -> None:
        """Follow the log until cancelled."""
        self._begin_anew()
        self._read_up_to = self._saved = self._positions.load(self._kind.name)
        try:
            async for events in self._log.follow(after=self._read_up_to):
                wanted = await self._wanted(events)
                for recorded, project in wanted:
                    self._take(recorded, project)
                for recorded in events:
                    if type(recorded.event) is RecordingDeleted and self._kind.on_gone is not None:
                        self._cut(recorded.stream_id)
                self._read_up_to = events[-1].position
                self._save_position()
        finally:
            await self._stop()

    async def _wanted(self, events: Collection[RecordedEvent]) -> list[tuple[RecordedEvent, str]]:
        """The events that may cause a job, each with its recording's project. Raises: LogUnavailable."""
        wanted = [recorded for recorded in events if self._kind.wanted(recorded)]
        if not wanted:
            return []
        recording_of = self._kind.recording_of
        projects = await self._projects_of({recording_of(recorded) for recorded in wanted})
        return [(recorded, projects[recording_of(recorded)]) for recorded in wanted]

    async def _stop(self) -> None:
        self._stopping = True
        readers = [queue.reading for queue in self._queues.values() if queue.reading is not None]
        tasks = [job.task for job in self._unfinished.values() if job.task is not None] + readers
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, recorded: RecordedEvent, project: str) -> None:
        queue = self._queues.setdefault(project, _Queue())
        if queue.unread_after is None and not self._put(recorded, queue):
            queue.unread_after = recorded.position - 1
        self._begin_some(project, queue)

    def _put(self, recorded: RecordedEvent, queue: _Queue) -> bool:
        """Put a job into its project's queue; False if there is no room."""
        if len(queue.waiting) >= MOST_WAITING:
            return False
        job = _Job(recorded, self._kind.recording_of(recorded), queue)
        self._unfinished[recorded.position] = job
        heappush(self._oldest_first, recorded.position)
        self._of_recording[job.recording_id].append(job)
        queue.waiting.append(job)
        return True

    def _begin_some(self, project: str, queue: _Queue) -> None:
        while queue.waiting and queue.begun < MOST_BEGUN:
            self._begin(queue.waiting.popleft(), project)
        if queue.unread_after is not None and not queue.waiting and queue.reading is None:
            name = f"{self._kind.name} reads on"
            queue.reading = asyncio.create_task(self._again(lambda: self._read_on(project, queue), {}), name=name)
            queue.reading.add_done_callback(lambda _: self._has_read_on(project, queue))
        if not (queue.waiting or queue.begun or queue.reading) and queue.unread_after is None:
            self._queues.pop(project, None)

    async def _read_on(self, project: str, queue: _Queue) -> None:
        """Take a project's further jobs, up to where the follower has read. Raises: LogUnavailable."""
        while queue.unread_after is not None and len(queue.waiting) < MOST_WAITING:
            events = await self._log.read(after=queue.unread_after)
            its = {recorded.position for recorded, whose in await self._wanted(events) if whose == project}
            # From here on, nothing else runs: where this has caught up, the follower itself goes on.
            for recorded in events:
                is_its = recorded.position in its
                if recorded.position > self._read_up_to or (is_its and not self._put(recorded, queue)):
                    break
                queue.unread_after = recorded.position
            if not events or queue.unread_after >= self._read_up_to:
                queue.unread_after = None

    def _has_read_on(self, project: str, queue: _Queue) -> None:
        queue.reading = None
        if not self._stopping:
            self._begin_some(project, queue)

    def _begin(self, job: _Job, project: str) -> None:
        """Start a job; jobs of one stream run one after another."""
        stream_id = job.recorded.stream_id
        before = self._newest.get(stream_id)
        job.task = asyncio.create_task(self._run_job(job, before), name=f"{self._kind.name} {stream_id}")
        job.queue.begun += 1
        self._newest[stream_id] = job.task
        job.task.add_done_callback(lambda task: self._ended(job, task, project))

    def _ended(self, job: _Job, task: asyncio.Task[None], project: str) -> None:
        if self._newest.get(job.recorded.stream_id) is task:
            del self._newest[job.recorded.stream_id]
        if self._stopping or (task.cancelled() and not job.is_cut):  # a stopped job has not ended
            return
        del self._unfinished[job.recorded.position]
        self._of_recording[job.recording_id].remove(job)
        if not self._of_recording[job.recording_id]:
            del self._of_recording[job.recording_id]
        job.queue.begun -= 1
        self._begin_some(project, job.queue)
        self._save_position()

    def _save_position(self) -> None:
        while self._oldest_first and self._oldest_first[0] not in self._unfinished:
            heappop(self._oldest_first)
        unread = (queue.unread_after for queue in self._queues.values() if queue.unread_after is not None)
        before_the_oldest = self._oldest_first[0] - 1 if self._oldest_first else self._read_up_to
        position = min(before_the_oldest, *unread, self._read_up_to)
        if position > self._saved:
            self._positions.save(self._kind.name, position)
            self._saved = position
            self._metrics.follower_position.labels(self._kind.name).set(position)

    def _cut(self, recording_id: UUID) -> None:
        """End the jobs of a deleted recording, whatever they are doing."""
        for job in self._of_recording.get(recording_id, ()):
            job.is_cut = True
            if job.has_begun and job.task is not None:
                job.task.cancel()

    async def _run_job(self, job: _Job, before: asyncio.Task[None] | None) -> None:
        job.has_begun = True
        trace_id.set(job.recorded.trace_id)
        try:
            if before is not None:
                await asyncio.wait([before])
            if not job.is_cut:
                await self._again(lambda: self._kind.do(job.recorded), self._kind.about(job.recorded))
                return
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._stopping or not job.is_cut or task is None:
                raise
            task.uncancel()
        logger.info("job ends: its recording is deleted", extra=self._kind.about(job.recorded))
        if (on_gone := self._kind.on_gone) is not None:
            await self._again(lambda: on_gone(job.recording_id), self._kind.about(job.recorded))

    async def _again(self, do: Callable[[], Awaitable[None]], about: Mapping[str, str]) -> None:
        """Do something, and again after a while until it succeeds."""
        for delay in WAITING.delays(self._random):
            try:
                await do()
            except OUT_OF_SERVICE as error:
                self._say_that_one_waits(error, about)
            except Exception:  # a job given up here would be skipped permanently
                logger.exception("job could not be settled; it is tried again", extra=about)
            else:
                if self._wait_for_the_log:
                    self._wait_for_the_log = False
                    logger.info("jobs go on", extra={"follower": self._kind.name})
                return
            await asyncio.sleep(delay.total_seconds())

    def _say_that_one_waits(self, error: Exception, about: Mapping[str, str]) -> None:
        """While the log is away, one line says so for all jobs."""
        if isinstance(error, LogUnavailable):
            if self._wait_for_the_log:
                return
            self._wait_for_the_log = True
        logger.warning("job waits", extra={**about, "because": str(error)})
