"""One run, from its seed to its verdict."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from uuid import UUID

from eventsourcing.persistence import PersistenceError

from adapters.blobs.port import BlobNotFound, StorageFull, StorageUnavailable
from adapters.event_log import log as log_module
from adapters.event_log import recent
from adapters.event_log.mapper import RecordedEvent
from adapters.event_log.port import LogUnavailable
from adapters.speech.port import EngineUnavailable
from adapters.worker_processes import WorkerDied
from domain.recording import Phase, phase_of
from service.application.streams import Contended
from service.followers import jobs, superseded_eraser
from tests.tools.simulation import faults as fault
from tests.tools.simulation.clients import Client
from tests.tools.simulation.invariants import check_everything
from tests.tools.simulation.memory_views import Fenced, TopicUnavailable
from tests.tools.simulation.process import Process
from tests.tools.simulation.world import World

INJECTED = (
    LogUnavailable,
    StorageFull,
    StorageUnavailable,
    EngineUnavailable,
    WorkerDied,
    OSError,
    Fenced,
    TopicUnavailable,
    Contended,
)
"""Exceptions that may be logged, because the simulation itself caused them."""

ENDED = {Phase.COMPLETED, Phase.FAILED, Phase.EXPIRED, Phase.DELETED}

PATIENCE_SECONDS = 300.0
"""How long the service may take to finish everything once nothing goes wrong any more."""


@dataclass(frozen=True)
class Run:
    """The outcome of a run."""

    seed: int
    violations: list[str]
    lines: list[str]
    trace_hash: str
    log: list[RecordedEvent]
    steps: int
    faults: Counter[str]
    answers: Counter[str]


def simulate(seed: int) -> Run:
    """Run `seed`: the same seed always does the same."""
    world = World(seed)
    with _quick_settings(seed), _logs_watched(world):
        simulation = Simulation(world)
        try:
            world.loop.run_until_complete(simulation.main())
        except RuntimeError as error:
            world.accuse(repr(error))
        trace_hash, steps = world.trace_hash(), world.loop.steps
        lines = list(world.lines)
        violations = list(world.violations)
        simulation.clear_away()
    return Run(
        seed=seed,
        violations=violations,
        lines=lines,
        trace_hash=trace_hash,
        log=world.log.recorded(),
        steps=steps,
        faults=world.faults.counts,
        answers=world.answers,
    )


class Simulation:
    """The processes and the clients of one run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random
        self._processes: dict[str, Process] = {}
        self._ever: list[Process] = []
        self._ended = False

    async def main(self) -> None:
        world, random = self._world, self._random
        world.faults.choose()
        clients = [Client(world, f"r{number}", self._some_process) for number in range(random.choice((1, 1, 2, 3, 5)))]
        world.has_one_process = random.random() >= 0.4
        world.is_shared = not world.has_one_process and Random(f"{world.seed} shared").random() < 0.75
        homes = [asyncio.create_task(self._keep_up("p0", follows=True))]
        if not world.has_one_process:
            homes.append(asyncio.create_task(self._keep_up("p1", follows=random.random() < 0.5)))
        lives = asyncio.gather(*(client.live() for client in clients))
        trouble = random.uniform(5, 30)
        await asyncio.sleep(trouble)
        world.faults.end()
        world.trace("faults end")
        await lives
        await self._settle()
        self._ended = True
        for home in homes:
            home.cancel()
        await asyncio.gather(*homes, return_exceptions=True)
        for process in self._processes.values():
            if process.open:
                await self._stop(process)
        check_everything(world, clients)

    def _some_process(self) -> Process | None:
        open_ones = [process for process in self._processes.values() if process.open]
        return self._random.choice(open_ones) if open_ones else None

    async def _keep_up(self, name: str, *, follows: bool) -> None:
        """Start the process, and restart it whenever it has crashed or was stopped."""
        world, random = self._world, self._random
        while True:
            try:
                process = Process(world, name, follows=follows)
            except PersistenceError:
                await asyncio.sleep(0.5)
                continue
            world.trace(f"{name} started")
            self._processes[name] = process
            self._ever.append(process)
            restart_at = world.loop.time() + random.uniform(0.5, 20) if world.faults.happens(fault.RESTART) else None
            while process.alive and (restart_at is None or world.loop.time() < restart_at):
                await asyncio.sleep(0.5)
            if process.alive:
                await self._stop(process)
            elif all(not other.alive for other in self._processes.values()):
                world.positions.lose_newest(world.faults)
                world.summaries.lose_newest(world.faults)
            await asyncio.sleep(random.random() * 2)

    async def _stop(self, process: Process) -> None:
        """Stop it cleanly, and check that nothing of it keeps running; its threads may take a moment to end."""
        await process.stop()
        for _ in range(10):
            left = [task for task in process.tasks if not task.done()]
            if not left or not process.alive:
                return
            await asyncio.sleep(0.5)
        self._world.accuse(f"{process.name} left tasks behind: {left}")

    async def _settle(self) -> None:
        """Wait until nothing is left to do. The time is generous; what is not settled by then never will be."""
        deadline = self._world.loop.time() + PATIENCE_SECONDS
        while not self._is_settled() and self._world.loop.time() < deadline:
            await asyncio.sleep(2)
        await asyncio.sleep(2)

    def _is_settled(self) -> bool:
        world = self._world
        head = len(world.log.notifications)
        states = (world.log.states(recording_id)[-1] for recording_id in list(world.log.by_recording))
        return (
            all(phase_of(state) in ENDED for state in states if state is not None)
            and world.summaries.position() == head
            and world.topic.position == head
            and all(world.positions.load(name) == head for name in self._followers())
        )

    def _followers(self) -> list[str]:
        """Those that act on recordings: what they do adds to the log."""
        stages = ["stitch", "transcribe", "note"]
        return [*stages, "erase", "erase-stitched-chunks", "erase-expired", "erase-superseded"]

    def clear_away(self) -> None:
        """Let what crashed or hangs end now: what it does no longer counts."""
        loop = self._world.loop
        loop.set_exception_handler(lambda *_: None)
        loop.steps = 0
        for process in self._ever:
            process.alive = True
            process.cancel_all()
        loop.release_lost()
        for task in asyncio.all_tasks(loop) - {task for process in self._ever for task in process.tasks}:
            task.cancel()
        while left := asyncio.all_tasks(loop):
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


class _Watch(logging.Handler):
    """Accuses when the service logs an exception that the simulation did not cause."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or isinstance(error, INJECTED):
            return
        if isinstance(error, BlobNotFound) and self._is_useless(UUID(record.__dict__["recording_id"]), error.key):
            return  # the recording was deleted, or the bytes were superseded, in the middle of the work
        self._world.accuse(f"logged: {record.getMessage()}: {error!r}")

    def _is_useless(self, recording_id: UUID, key: str) -> bool:
        recording = self._world.log.states(recording_id)[-1]
        return recording is None or phase_of(recording) is Phase.DELETED or key not in recording.blobs_in_use()


@contextmanager
def _logs_watched(world: World) -> Iterator[None]:
    logger = logging.getLogger("service")
    before = logger.propagate, logger.handlers, logger.level
    logger.propagate, logger.handlers = False, [_Watch(world)]
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.propagate, logger.handlers = before[:2]
        logger.setLevel(before[2])


@contextmanager
def _quick_settings(seed: int) -> Iterator[None]:
    """Limits so small that a short run reaches them, and longer pauses between checks for other processes' commits."""
    random = Random(f"{seed} limits")
    chosen = (
        (superseded_eraser, "SHORTEST_RETENTION", timedelta(seconds=2)),
        (log_module, "FOREIGN_COMMIT_CHECK_SECONDS", 4.0),
        (recent, "RECENT_EVENTS", random.choice((0, 3, 4_096))),
        (log_module, "LARGEST_COMMIT", random.choice((1, 2, 1_024))),
        (jobs, "MOST_BEGUN", random.choice((1, 2, 1_000))),
        (jobs, "MOST_WAITING", random.choice((1, 2, 1_000))),
    )
    before = [(module, name, getattr(module, name)) for module, name, _ in chosen]
    for module, name, value in chosen:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
