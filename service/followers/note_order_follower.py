"""Writes the notes that are ordered, several in parallel.

An order that was cut off in the middle is written again; the first result that is recorded counts. Nothing stays of a
note whose recording is deleted meanwhile.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from itertools import count
from random import Random
from uuid import UUID

from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.positions import PositionStore
from domain.errors import RecordingNotFound
from domain.events import NoteOrdered
from domain.note_order import BeginNote, FailOrder, FulfilOrder, NoteOrderSettled
from service.application.clock import Clock
from service.application.metrics import Metrics
from service.application.note_orders import NoteOrders
from service.application.order_writing import OrderCannotBeWritten
from service.application.recordings import Recordings
from service.application.retry import RetryPolicy
from service.followers.jobs import OUT_OF_SERVICE, JobKind, Jobs
from service.followers.projects import Projects

logger = logging.getLogger(__name__)

Work = Callable[[UUID, NoteOrdered], Awaitable[FulfilOrder]]
"""Writes an ordered note and stores it, under a name that only this order has.

Raises: OrderCannotBeWritten; StorageFull, StorageUnavailable and their like, which are waited out; anything else is
tried again a few times.
"""


class NoteOrderFollower:
    """`on_gone` is called for a deleted recording of which a note was ordered: all that is stored of it must go."""

    name = "note_order"

    def __init__(
        self,
        work: Work,
        *,
        on_gone: Callable[[UUID], Awaitable[None]],
        log: EventLog,
        orders: NoteOrders,
        recordings: Recordings,
        positions: PositionStore,
        policy: RetryPolicy,
        clock: Clock,
        random: Random,
        metrics: Metrics,
    ) -> None:
        self._work = work
        self._on_gone = on_gone
        self._orders = orders
        self._recordings = recordings
        self._policy = policy
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._jobs = Jobs(
            JobKind(
                name=self.name,
                wanted=lambda recorded: type(recorded.event) is NoteOrdered,
                recording_of=_recording_of,
                do=self._do_job,
                on_gone=on_gone,
                about=_about,
            ),
            projects_of=Projects(log, recordings).of,
            log=log,
            positions=positions,
            clock=clock,
            random=random,
            metrics=metrics,
        )

    async def run(self) -> None:
        """Follow the log until cancelled."""
        await self._jobs.run()

    async def _do_job(self, recorded: RecordedEvent) -> None:
        ordered = recorded.event
        if not isinstance(ordered, NoteOrdered):
            return
        try:
            await self._recordings.newest(ordered.recording_id)
            await self._settle(recorded, ordered)
            # What was stored before this is erased with the recording if it is deleted after this.
            await self._recordings.newest(ordered.recording_id)
        except RecordingNotFound:
            await self._on_gone(ordered.recording_id)

    async def _settle(self, recorded: RecordedEvent, ordered: NoteOrdered) -> None:
        """Raises: RecordingNotFound when the recording is deleted meanwhile."""
        order_id, its_trace_id = recorded.stream_id, recorded.trace_id
        begun = await self._orders.execute(order_id, BeginNote(at=self._clock()), trace_id=its_trace_id)
        if begun.is_settled:
            return
        command = await self._attempt(recorded, ordered)
        try:
            await self._orders.execute(order_id, command, trace_id=its_trace_id)
        except NoteOrderSettled as error:  # by another process
            logger.info("note is not wanted any more", extra={**_about(recorded), "because": str(error)})

    async def _attempt(self, recorded: RecordedEvent, ordered: NoteOrdered) -> FulfilOrder | FailOrder:
        """Try until the note is written, cannot be written, or has failed often enough. Raises: RecordingNotFound."""
        delays = self._policy.delays(self._random)
        for attempt in count(1):
            try:
                command = await self._work(recorded.stream_id, ordered)
            except OUT_OF_SERVICE:
                raise
            except OrderCannotBeWritten as error:
                await self._recordings.newest(ordered.recording_id)  # if it is deleted, nothing is to be noted
                self._count("failed")
                logger.info("note order failed for good", extra={**_about(recorded), "reason": error.reason})
                return self._failure(error.reason, str(error), attempt)
            except Exception as error:
                await self._recordings.newest(ordered.recording_id)  # what it was to be written from may be erased
                self._count("broken")
                logger.exception("note order broke", extra={**_about(recorded), "attempt": attempt})
                delay = next(delays, None)
                if delay is None:
                    broke = f"Writing it was tried {attempt} times and failed each time, last with {_name(error)}."
                    return self._failure("internal_error", broke, attempt)
                await asyncio.sleep(delay.total_seconds())
            else:
                self._count("done")
                return command
        raise AssertionError("counting does not end")

    def _failure(self, reason: str, message: str, attempts: int) -> FailOrder:
        return FailOrder(at=self._clock(), reason=reason, message=message, attempts=attempts)

    def _count(self, outcome: str) -> None:
        self._metrics.stage_attempts.labels(self.name, outcome).inc()


def _name(error: Exception) -> str:
    return type(error).__name__


def _recording_of(recorded: RecordedEvent) -> UUID:
    ordered = recorded.event
    if not isinstance(ordered, NoteOrdered):
        raise TypeError(f"{type(ordered).__name__} orders no note")
    return ordered.recording_id


def _about(recorded: RecordedEvent) -> dict[str, str]:
    return {"note_order_id": recorded.stream_id.hex}
