"""One process of the service, assembled as in `runtime.assembly`, which can die between any two steps."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextvars import copy_context
from datetime import timedelta
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from adapters.claims import port as claims_port
from adapters.event_log.log import EventLog
from domain.events import Stage
from service.application.erasing import Erasing
from service.application.metrics import Metrics
from service.application.note_edits import Notes
from service.application.retry import RetryPolicy
from service.application.stage_parts import Work
from service.application.stages import STAGES
from service.application.turns import Turns
from service.application.uploads import Uploads
from service.followers.deletion import Deletion
from service.followers.eraser import EXPIRED_RECORDINGS, STITCHED_CHUNKS, Eraser
from service.followers.expirer import Expirer
from service.followers.projector import Projector
from service.followers.stage_follower import StageFollower
from service.followers.superseded_eraser import SupersededEraser
from service.followers.supervision import Supervision
from tests.tools.simulation import faults as fault
from tests.tools.simulation.audit import AuditedRecordings
from tests.tools.simulation.loop import OWNER
from tests.tools.simulation.memory_blobs import MemoryBlobStore
from tests.tools.simulation.memory_claims import MemoryClaims
from tests.tools.simulation.memory_log import MemoryLogRecorder
from tests.tools.simulation.memory_settling import MemorySettling
from tests.tools.simulation.no_quotas import NO_QUOTAS
from tests.tools.simulation.publisher import Publisher
from tests.tools.simulation.stage_work import SimulatedStage, SimulatedWork
from tests.tools.simulation.world import World

METRICS = Metrics()
"""Shared by all runs: creating one takes longer than the first second of many runs, and nothing here reads it."""

STAGE_RETRIES = RetryPolicy(first=timedelta(seconds=1), factor=3, longest=timedelta(minutes=5), attempts=3)

T = TypeVar("T")


class ConnectionLost(Exception):
    """The process ended before it answered, or its answer was lost."""


RETENTION = timedelta(seconds=3)
"""Of chunks, superseded bytes and expired recordings: short enough to be over within a run."""


class Process:
    """Serves requests and follows the log, from `start` until it crashes or is stopped."""

    def __init__(self, world: World, name: str, *, follows: bool) -> None:
        self.name = name
        self.alive = self.open = True
        self.tasks: list[asyncio.Task[Any]] = []
        self._world = world
        self._follows = follows
        self._followers: list[asyncio.Task[None]] = []
        self._requests: dict[asyncio.Task[Any], asyncio.Future[Any]] = {}
        self._context = copy_context()
        self._context.run(OWNER.set, self)
        self._context.run(self._assemble)

    def _assemble(self) -> None:
        world, random = self._world, Random(self._world.random.random())
        self.log = EventLog(
            MemoryLogRecorder(world.log, world.faults), on_commit=METRICS.committed, is_shared=world.is_shared
        )
        self.recordings = AuditedRecordings(
            self.log,
            world.log,
            world.accuse,
            hot_chunks=random.choice((2, 10, 1_000, 1_000)),
            is_shared=world.is_shared,
        )
        self.claims = MemoryClaims(world.claims, lambda: self.alive)
        self.blobs = MemoryBlobStore(world.bodies, world.faults)
        settling = MemorySettling(world.settling, lambda: self.alive)
        self.uploads = Uploads(
            self.recordings,
            self.blobs,
            quotas=NO_QUOTAS,
            clock=world.clock,
            metrics=METRICS,
            settling=settling,
        )
        self.notes = Notes(self.recordings, self.blobs, quotas=NO_QUOTAS, settling=settling, clock=world.clock)
        self.projector = Projector("summaries", self.log, world.summaries)  # type: ignore[arg-type]
        deletion = Deletion(
            claims=self.claims,
            let_go=_nothing,
            log=self.log,
            recordings=self.recordings,
            blobs=self.blobs,
            positions=world.positions,  # type: ignore[arg-type]
            clock=world.clock,
            random=random,
            metrics=METRICS,
        )
        expirer = Expirer(
            log=self.log,
            recordings=self.recordings,
            positions=world.positions,  # type: ignore[arg-type]
            clock=world.clock,
        )
        publisher = Publisher(self.log, world.topic)
        erasing = Erasing(self.recordings, self.blobs, settling=settling, clock=world.clock)
        shared: dict[str, Any] = {
            "log": self.log,
            "erasing": erasing,
            "positions": world.positions,
            "clock": world.clock,
        }
        erasers = [
            Eraser("erase-stitched-chunks", STITCHED_CHUNKS, RETENTION, **shared),
            Eraser("erase-expired", EXPIRED_RECORDINGS, RETENTION, **shared),
            SupersededEraser(RETENTION, **shared),
        ]
        followers = [(each.name, each.run) for each in (self.projector, deletion, *erasers, expirer, publisher)]
        work = SimulatedWork(self.blobs, faults=world.faults, clock=world.clock)
        turns = Turns(random.choice((1, 2, 8)), clock=world.loop.time)
        works: Mapping[Stage, Work] = {
            Stage.STITCH: SimulatedStage(work.stitch, turns, world.at_work, self.claims),
            Stage.TRANSCRIBE: SimulatedStage(work.transcribe, turns, world.at_work, self.claims),
            Stage.NOTE: SimulatedStage(work.write_note, turns, world.at_work, self.claims),
        }
        for stage in STAGES.values():
            follower = StageFollower(
                stage,
                works[stage.name],
                on_gone=deletion.erase,
                claims=self.claims,
                log=self.log,
                recordings=self.recordings,
                positions=world.positions,  # type: ignore[arg-type]
                policy=STAGE_RETRIES,
                clock=world.clock,
                random=random,
                metrics=METRICS,
            )
            followers.append((follower.name, follower.run))
        followers.append(("claims", self._keep_claims))
        if not self._follows:
            followers = followers[:1]  # queries of the view wait for their own process's projector
        supervision = Supervision(self.log, random)
        for name, run in followers:
            self._followers.append(world.loop.create_task(supervision.keep_running(name, run), name=name))

    async def _keep_claims(self) -> None:
        """Notices some time later that its session was ended, as `ClaimsInDatabase.keep` does."""
        while True:
            await asyncio.sleep(claims_port.LOOK_SECONDS)
            if self._world.faults.happens(fault.CLAIMS_LOST):
                self.claims.end_session()
                await asyncio.sleep(self._world.random.random() * 2 * claims_port.LOOK_SECONDS)
                self.claims.notice()

    def about_to_step(self) -> bool:
        """See `loop.Owner`."""
        if self._world.faults.happens(fault.CRASH):
            self.crash()
        return self.alive

    def crash(self) -> None:
        """Everything that is only in memory is lost, and nothing more runs."""
        self.alive = self.open = False
        self._world.trace(f"{self.name} crashed")
        for answer in self._requests.values():
            if not answer.done():
                answer.set_exception(ConnectionLost())

    async def ask(self, handler: Callable[["Process"], Coroutine[Any, Any, T]]) -> T:
        """Have a request served, and wait for its answer from outside.

        Raises: what the handler raises; ConnectionLost.
        """
        if not self.open:
            raise ConnectionLost
        answer: asyncio.Future[T] = self._world.loop.create_future()
        request = self._context.run(self._world.loop.create_task, handler(self))
        self._requests[request] = answer
        request.add_done_callback(self._answered, context=copy_context())
        if self._world.faults.happens(fault.CLIENT_GONE):
            self._world.loop.call_later(self._world.random.random() * 0.01, self._cancel_request, request)
        if self._world.faults.happens(fault.ANSWER_LOST):
            answer.cancel()
            raise ConnectionLost
        return await answer

    def _cancel_request(self, request: asyncio.Task[Any]) -> None:
        if self.alive:
            request.cancel()

    def _answered(self, request: asyncio.Task[Any]) -> None:
        answer = self._requests.pop(request)
        if answer.done():
            return
        if request.cancelled():
            answer.set_exception(ConnectionLost())
        elif (error := request.exception()) is not None:
            answer.set_exception(error)
        else:
            answer.set_result(request.result())

    async def stop(self) -> None:
        """Stop cleanly, as the service does: requests first, then followers, then the log. No thread is cut off."""
        self.open = False
        self._world.trace(f"{self.name} stops")
        stopping = self._context.run(self._world.loop.create_task, self._stop())
        while self.alive and not (stopping.done() and self._world.loop.working[self] == 0):
            await asyncio.sleep(0.1)

    async def _stop(self) -> None:
        self.cancel_all()
        await asyncio.gather(*self._requests, *self._followers, return_exceptions=True)
        self.claims.end_session()
        await self.log.close()

    def cancel_all(self) -> None:
        """End every request and every follower. What they wait for (a commit, a read) still completes."""
        for task in (*self._requests, *self._followers):
            task.cancel()


async def _nothing(_: UUID) -> None:
    """There is no head start."""
