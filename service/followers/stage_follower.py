"""Does one stage of processing for every recording that is due for it, several in parallel.

An event only says where to look: whether the stage is due is decided by the recording itself, so an event read twice,
or again after a crash, causes no work twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from random import Random
from uuid import UUID

from adapters.audio.errors import AudioError
from adapters.blobs.port import StorageFull, StorageUnavailable
from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.event_log.port import LogUnavailable
from adapters.positions import PositionStore
from adapters.speech.port import SpeechError
from domain.commands import EndStage, RecordFailure
from domain.errors import RecordingError, RecordingNotFound
from domain.recording import Recording
from service.application.clock import Clock
from service.application.metrics import Metrics
from service.application.recordings import Recordings
from service.application.retry import RetryPolicy
from service.application.stage_parts import Work
from service.application.stages import ProcessingStage
from service.application.streams import Contended
from service.application.trace import trace_id

logger = logging.getLogger(__name__)

MOST_UNFINISHED = 1_000
"""Jobs begun and not ended; beyond this the follower reads no further."""

OUT_OF_SERVICE = (StorageFull, StorageUnavailable, LogUnavailable, Contended)
"""Not the recording's fault: waited out, however long it takes, and not counted as an attempt."""

WAITING = RetryPolicy(first=timedelta(seconds=1), longest=timedelta(seconds=30))


class StageFollower:
    """One stage's follower. Its saved position is the one before the first event whose job has not ended.

    `on_gone` is called for a recording that turned out to be deleted, after a job on it.
    """

    def __init__(
        self,
        stage: ProcessingStage,
        work: Work,
        *,
        on_gone: Callable[[UUID], Awaitable[None]],
        log: EventLog,
        recordings: Recordings,
        positions: PositionStore,
        policy: RetryPolicy,
        clock: Clock,
        random: Random,
        metrics: Metrics,
    ) -> None:
        self.name = stage.name.value
        self._stage = stage
        self._work = work
        self._on_gone = on_gone
        self._log = log
        self._recordings = recordings
        self._positions = positions
        self._policy = policy
        self._clock = clock
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
        self._read_up_to = self._saved = self._positions.load(self.name)
        self._stopping = False
        try:
            async for events in self._log.follow(after=self._read_up_to):
                for recorded in events:
                    if self._may_be_due(recorded):
                        await self._room.acquire()
                        self._begin(recorded)
                self._read_up_to = events[-1].position
                self._save_position()
        finally:
            await self._stop()

    def _may_be_due(self, recorded: RecordedEvent) -> bool:
        event_type = type(recorded.event)
        if event_type in self._stage.seldom_woken_by:
            recording = self._recordings.in_memory(recorded.stream_id, at_least=recorded.version)
            return recording is None or self._stage.is_due(recording)
        return event_type in self._stage.woken_by

    async def _stop(self) -> None:
        self._stopping = True
        jobs = list(self._unfinished.values())
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    def _begin(self, recorded: RecordedEvent) -> None:
        """Start a job; jobs of one recording run one after another."""
        before = self._newest.get(recorded.stream_id)
        job = asyncio.create_task(self._run_job(recorded, before), name=f"{self.name} {recorded.stream_id}")
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
            self._positions.save(self.name, position)
            self._saved = position
            self._metrics.follower_position.labels(self.name).set(position)

    async def _run_job(self, recorded: RecordedEvent, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        trace_id.set(recorded.trace_id)
        for delay in WAITING.delays(self._random):
            try:
                await self._do_job(recorded)
            except OUT_OF_SERVICE as error:
                logger.warning("stage waits", extra={**self._about(recorded), "because": str(error)})
            except Exception:  # a job given up here would be skipped permanently
                logger.exception("stage could not be settled; it is tried again", extra=self._about(recorded))
            else:
                return
            await asyncio.sleep(delay.total_seconds())

    async def _do_job(self, recorded: RecordedEvent) -> None:
        try:
            await self._do_stage(recorded)
        except RecordingNotFound:  # deleted meanwhile; what this job may have stored since must be erased, too
            await self._on_gone(recorded.stream_id)
        except RecordingError as error:  # ended by someone else meanwhile
            logger.info("stage is not wanted any more", extra={**self._about(recorded), "because": str(error)})

    async def _do_stage(self, recorded: RecordedEvent) -> None:
        recording = await self._recordings.find(recorded.stream_id, at_least=recorded.version)
        if self._stage.is_due(recording) and not await self._is_due_by_a_later_event(recorded):
            command = await self._attempt(recorded, recording)
            of_these_chunks = replace(command, edition=recording.edition)
            await self._recordings.execute(recorded.stream_id, of_these_chunks, trace_id=recorded.trace_id)

    async def _is_due_by_a_later_event(self, recorded: RecordedEvent) -> bool:
        """Whether a later event made the stage due, such as a finalize: that one has a job of its own, with its own
        trace id."""
        if type(recorded.event) not in self._stage.seldom_woken_by:
            return False
        newer = await self._log.history(recorded.stream_id, after_version=recorded.version)
        return any(type(each.event) in self._stage.woken_by for each in newer)

    async def _attempt(self, recorded: RecordedEvent, recording: Recording) -> EndStage | RecordFailure:
        """Try until the work is done, cannot be done, or has failed often enough."""
        delays = self._policy.delays(self._random)
        for attempt in count(1):
            try:
                command = await self._work(recorded.stream_id, recording)
            except OUT_OF_SERVICE:
                raise
            except Exception as error:  # whatever broke, the audio stays and the stage can be retried
                if is_beyond_help(error):
                    self._count("failed")
                    logger.info("stage failed for good", extra={**self._about(recorded), "reason": _reason(error)})
                    return self._failure(_reason(error), str(error), attempt)
                self._count("broken")
                logger.exception("stage broke", extra={**self._about(recorded), "attempt": attempt})
                delay = next(delays, None)
                if delay is None:
                    return self._given_up(error, attempt)
                await asyncio.sleep(delay.total_seconds())
            else:
                self._count("done")
                return command
        raise AssertionError("counting does not end")

    def _given_up(self, error: Exception, attempts: int) -> RecordFailure:
        if isinstance(error, SpeechError):
            return self._failure(_reason(error), str(error), attempts)
        broke = f"Stage {self.name} was tried {attempts} times and failed each time, last with {type(error).__name__}."
        return self._failure("internal_error", broke, attempts)

    def _failure(self, reason: str, message: str, attempts: int) -> RecordFailure:
        return RecordFailure(
            at=self._clock(), stage=self._stage.name, reason=reason, message=message, attempts=attempts
        )

    def _count(self, outcome: str) -> None:
        self._metrics.stage_attempts.labels(self.name, outcome).inc()

    def _about(self, recorded: RecordedEvent) -> dict[str, str]:
        return {"stage": self.name, "recording_id": recorded.stream_id.hex}


def is_beyond_help(error: Exception) -> bool:
    """Whether trying again cannot help."""
    return isinstance(error, AudioError) or (isinstance(error, SpeechError) and not error.is_retryable)


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, AudioError | SpeechError) else "internal_error"
