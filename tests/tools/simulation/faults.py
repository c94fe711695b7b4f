"""What goes wrong in a run, drawn from its seed. Each run has its own selection of kinds, so that rare pairs occur."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

CRASH = "crash"
RESTART = "orderly restart"
COMMIT_FULL = "commit failed: log full"
COMMIT_UNAVAILABLE = "commit failed: log unavailable"
COMMIT_UNANSWERED = "commit done, its answer lost"
COMMIT_LATE = "commit done after its failure was told"
SLOW_COMMIT = "slow commit"
SLOW_THREAD = "slow thread"
READ_UNAVAILABLE = "log not readable"
STORAGE_FULL = "storage full"
STORAGE_UNAVAILABLE = "storage unavailable"
ENGINE_BROKE = "engine broke"
ENGINE_REFUSED = "engine refused for good"
CHUNK_DAMAGED = "chunk damaged"
CLAIMS_LOST = "claims lost"
POSITION_LOST = "saved position lost"
VIEW_LOST = "newest rows of the view lost"
TOPIC_UNAVAILABLE = "topic unavailable"
TOPIC_UNANSWERED = "topic commit done, its answer lost"
ANSWER_LOST = "answer to a client lost"
CLIENT_GONE = "client gone in the middle of a request"

CHANCES: dict[str, float] = {
    CRASH: 0.0015,  # for each step of a process
    RESTART: 0.5,  # for each run
    COMMIT_FULL: 0.08,  # for each call from here on
    COMMIT_UNAVAILABLE: 0.06,
    COMMIT_UNANSWERED: 0.06,
    COMMIT_LATE: 0.05,
    SLOW_COMMIT: 0.15,
    SLOW_THREAD: 0.1,
    READ_UNAVAILABLE: 0.03,
    STORAGE_FULL: 0.08,
    STORAGE_UNAVAILABLE: 0.08,
    ENGINE_BROKE: 0.25,
    ENGINE_REFUSED: 0.15,
    CHUNK_DAMAGED: 0.15,
    CLAIMS_LOST: 0.1,
    POSITION_LOST: 0.5,
    VIEW_LOST: 0.5,
    TOPIC_UNAVAILABLE: 0.1,
    TOPIC_UNANSWERED: 0.1,
    ANSWER_LOST: 0.1,
    CLIENT_GONE: 0.05,
}

MOST_CRASHES = 6


@dataclass(slots=True)
class Faults:
    """`happens` is called wherever something can go wrong; after `end`, nothing does."""

    random: Random
    chances: dict[str, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    trace: Callable[[str], None] = lambda _: None

    def choose(self) -> None:
        """Choose which kinds this run has; one run in eight has none at all."""
        if self.random.random() < 0.125:
            return
        for kind, chance in CHANCES.items():
            if self.random.random() < 0.5:
                self.chances[kind] = chance * self.random.choice((0.3, 1.0, 1.0, 3.0))

    def happens(self, kind: str) -> bool:
        chance = self.chances.get(kind)
        if chance is None or self.random.random() >= chance:
            return False
        self.counts[kind] += 1
        self.trace(kind)
        if kind == CRASH and self.counts[CRASH] >= MOST_CRASHES:
            del self.chances[CRASH]
        return True

    def one_of(self, kinds: Iterable[str]) -> str | None:
        """The first of `kinds` that happens."""
        return next((kind for kind in kinds if self.happens(kind)), None)

    def end(self) -> None:
        self.chances.clear()

    def latency(self, thread: str) -> tuple[float, float]:
        """The seconds until a thread's work is done, and until that is known. See `loop.Latency`."""
        draw = self.random.random
        if self.happens(SLOW_COMMIT if thread == "log-writer" else SLOW_THREAD):
            return draw() * 2, draw() * 2
        return draw() * 0.004, draw() * 0.002
