"""Does one stage of processing for every recording that is due for it, several in parallel, each in its turn.

An event only says where to look: whether the stage is due is decided by the recording itself, so an event read twice,
or again after a crash, causes no work twice. Whoever has a turn claims the recording for this stage until the result is
in the log; what another process has claimed is looked at again when that claim has ended.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from random import Random
from uuid import UUID

from adapters.audio.errors import AudioError
from adapters.claims.port import Claim, Claims
from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.positions import PositionStore
from adapters.speech.port import SpeechError
from adapters.worker_processes import WorkerError
from domain.commands import EndStage, RecordFailure
from domain.errors import RecordingError, RecordingNotFound
from service.application.claimed_jobs import stage_job
from service.application.clock import Clock
from service.application.metrics import Metrics
from service.application.operating import Backlog
from service.application.project_turns import Urgency
from service.application.recordings import Recordings
from service.application.retry import RetryPolicy
from service.application.stage_parts import Effort, Permit, TookTooLong, Work
from service.application.stages import ProcessingStage
from service.application.turns import SHORT
from service.followers.jobs import OUT_OF_SERVICE, JobKind, Jobs
from service.followers.projects import Projects

logger = logging.getLogger(__name__)


class StageFollower:
    """One stage's follower.

    `on_gone` is called for a recording that turned out to be deleted, after a job on it.
    """

    def __init__(
        self,
        stage: ProcessingStage,
        work: Work,
        *,
        on_gone: Callable[[UUID], Awaitable[None]],
        claims: Claims,
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
        self._claims = claims
        self._log = log
        self._recordings = recordings
        self._policy = policy
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._working: Counter[str] = Counter()
        self._jobs = Jobs(
            JobKind(
                name=self.name,
                wanted=self._may_be_due,
                recording_of=lambda recorded: recorded.stream_id,
                do=self._do_job,
                on_gone=on_gone,
                about=self._about,
            ),
            projects_of=Projects(log, recordings).of,
            log=log,
            positions=positions,
            clock=clock,
            random=random,
            metrics=metrics,
        )

    def backlog(self, project_id: str) -> Backlog:
        """What the project has at this stage."""
        jobs, working = self._jobs.of_project(project_id), self._working[project_id]
        return Backlog(max(0, jobs.count - working), working, jobs.is_whole)

    async def run(self) -> None:
        """Follow the log until cancelled."""
        await self._jobs.run()

    def _may_be_due(self, recorded: RecordedEvent) -> bool:
        event_type = type(recorded.event)
        if event_type in self._stage.seldom_woken_by:
            recording = self._recordings.in_memory(recorded.stream_id, at_least=recorded.version)
            return recording is None or self._stage.is_due(recording)
        return event_type in self._stage.woken_by

    async def _do_job(self, recorded: RecordedEvent) -> None:
        try:
            await self._do_stage(recorded)
        except RecordingNotFound:  # deleted meanwhile; what this job may have stored since must be erased, too
            await self._on_gone(recorded.stream_id)
        except RecordingError as error:  # ended by someone else meanwhile
            logger.info("stage is not wanted any more", extra={**self._about(recorded), "because": str(error)})

    async def _do_stage(self, recorded: RecordedEvent) -> None:
        due = await self._due(recorded)
        if due is None:
            return
        async with self._claims.claim(stage_job(self._stage.name, recorded.stream_id)) as claim:
            command = await self._attempt(recorded, due, claim)
            if command is not None:
                of_these_chunks = replace(command, edition=due.edition)
                await self._recordings.execute(recorded.stream_id, of_these_chunks, trace_id=recorded.trace_id)

    async def _due(self, recorded: RecordedEvent) -> "_Due | None":
        """What is to be done; nothing of the recording itself, which may be large, is kept while it waits."""
        recording = await self._recordings.find(recorded.stream_id, at_least=recorded.version)
        if not self._stage.is_due(recording) or await self._is_due_by_a_later_event(recorded):
            return None
        effort = self._work.effort(recording)
        return _Due(recording.opened.tenant_id, effort, effort.urgency, recording.edition)

    async def _is_due_by_a_later_event(self, recorded: RecordedEvent) -> bool:
        """Whether a later event made the stage due, such as a finalize: that one has a job of its own, with its own
        trace id."""
        if type(recorded.event) not in self._stage.seldom_woken_by:
            return False
        newer = await self._log.history(recorded.stream_id, after_version=recorded.version)
        return any(type(each.event) in self._stage.woken_by for each in newer)

    async def _attempt(self, recorded: RecordedEvent, due: "_Due", claim: Claim) -> EndStage | RecordFailure | None:
        """Try until the work is done, cannot be done, or has failed often enough. None if it is not due any more.

        The claim is kept between attempts, so that they are counted by one process.
        """
        delays = self._policy.delays(self._random)
        for attempt in count(1):
            try:
                command = await self._in_its_turn(recorded, due, claim)
            except OUT_OF_SERVICE:
                raise
            except RecordingError:
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
                if command is not None:
                    self._count("done")
                return command
        raise AssertionError("counting does not end")

    async def _in_its_turn(self, recorded: RecordedEvent, due: "_Due", claim: Claim) -> EndStage | None:
        """The work, done in a turn for short work if that may suffice, else in one for long work."""
        if due.urgency is not Urgency.LONG and due.effort.limit > SHORT:
            try:
                return await self._within(SHORT, recorded, due, claim)
            except TookTooLong:
                due.urgency = Urgency.LONG
                await claim.leave()  # where a place for long work is free sooner, it is done
                logger.info("stage takes long; it is begun anew", extra=self._about(recorded))
        return await self._within(due.effort.limit, recorded, due, claim)

    async def _within(self, limit: timedelta, recorded: RecordedEvent, due: "_Due", claim: Claim) -> EndStage | None:
        """The work, once it is this process's to do; None if another has done it meanwhile."""
        recording_id = recorded.stream_id
        while self._stage.is_due(await self._recordings.find(recording_id, at_least=recorded.version)):
            async with due.effort.turns.turn(due.project, due.urgency) as turn:
                if await claim.take():
                    return await self._claimed(recording_id, due, Permit(limit, turn))
            await self._claims.until_free([stage_job(self._stage.name, recording_id)])
        return None

    async def _claimed(self, recording_id: UUID, due: "_Due", permit: Permit) -> EndStage | None:
        with self._working_for(due.project):
            recording = await self._recordings.newest(recording_id)
            if not self._stage.is_due(recording):
                return None
            due.edition = recording.edition
            return await self._work.do(recording_id, recording, permit)

    @contextmanager
    def _working_for(self, project: str) -> Iterator[None]:
        self._working[project] += 1
        try:
            yield
        finally:
            self._working[project] -= 1
            if not self._working[project]:
                del self._working[project]

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


@dataclass(slots=True)
class _Due:
    """What is to be done for a recording of `project`. `edition`: that of the recording it was last done for."""

    project: str
    effort: Effort
    urgency: Urgency
    edition: int


def is_beyond_help(error: Exception) -> bool:
    """Whether trying again cannot help."""
    if isinstance(error, SpeechError | WorkerError):
        return not error.is_retryable
    return isinstance(error, AudioError | TookTooLong)


def _reason(error: Exception) -> str:
    if isinstance(error, AudioError | SpeechError | WorkerError | TookTooLong):
        return error.reason
    return "internal_error"
