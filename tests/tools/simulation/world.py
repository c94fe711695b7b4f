"""What outlives every simulated process: the durable stores, the time and the record of the run."""

import asyncio
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.tools.simulation.at_work import AtWork
from tests.tools.simulation.faults import Faults
from tests.tools.simulation.loop import OWNER, VirtualLoop
from tests.tools.simulation.memory_claims import MemoryLocks
from tests.tools.simulation.memory_log import MemoryLog
from tests.tools.simulation.memory_settling import MemorySettling
from tests.tools.simulation.memory_views import MemoryPositionStore, MemorySummaryStore, Topic

START = datetime(2026, 1, 13, 10, 0, tzinfo=UTC)


@dataclass
class World:
    """Everything of one run, drawn from `seed`."""

    seed: int
    violations: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    """What clients were told, and how often."""

    in_doubt: Counter[str] = field(default_factory=Counter)
    """Blobs of requests that were cut off between storing bytes and recording them."""

    has_one_process: bool = True

    is_shared: bool = False
    """Whether processes know that others write, as those of one service do; else, it is as beside a command."""

    def __post_init__(self) -> None:
        self.random = Random(f"{self.seed} world")
        self.faults = Faults(Random(f"{self.seed} faults"), trace=self.trace)
        self.loop = VirtualLoop(Random(f"{self.seed} order"), self.faults.latency)
        self.loop.set_task_factory(_owned_task)
        self.loop.set_exception_handler(lambda _, context: self.accuse(f"asyncio: {context}"))
        self.log = MemoryLog(trace=self.trace)
        self.bodies = Bodies()
        self.claims = MemoryLocks()
        self.settling: dict[str, MemorySettling] = {}
        self.at_work = AtWork(self.accuse)
        self.positions = MemoryPositionStore()
        self.summaries = MemorySummaryStore()
        self.topic = Topic(self.faults)

    def clock(self) -> datetime:
        return START + timedelta(seconds=self.loop.time())

    def trace(self, line: str) -> None:
        self.lines.append(f"{self.loop.time():10.4f}  {line}")

    def accuse(self, violation: str) -> None:
        self.violations.append(violation)
        self.trace(f"VIOLATION {violation}")

    def trace_hash(self) -> str:
        """Equal for two runs that did the same things at the same times in the same order."""
        return hashlib.sha256("\n".join([*self.lines, str(self.loop.steps)]).encode()).hexdigest()


class Bodies(dict[str, bytes]):
    """What is stored. `ever`: also what no longer is."""

    def __init__(self) -> None:
        super().__init__()
        self.ever: dict[str, bytes] = {}

    def __setitem__(self, key: str, body: bytes) -> None:
        super().__setitem__(key, body)
        self.ever[key] = body


def _owned_task(loop: asyncio.AbstractEventLoop, coro: Any, context: Any = None) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, context=context)
    owner = OWNER.get() if context is None else context.get(OWNER)
    if owner is not None:
        owner.tasks.append(task)
    return task
