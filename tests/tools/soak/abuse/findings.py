"""What a run has shown: its table, and what was not as it must be."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.tools.peak_memory import MEBIBYTE
from tests.tools.soak.abuse.attacks import BY_NAME
from tests.tools.soak.abuse.honest import Honest
from tests.tools.soak.abuse.tally import Tally
from tests.tools.soak.abuse.watching import Taken

MOST_SLOWER = 3.0
"""How many times as long as alone an honest recording may take from finalize to transcript."""
MOST_ASKED_TO_WAIT = 0.01
"""Of all honest requests."""
ENOUGH = 16
"""Recordings, alone and beside the attacks: with fewer, their times say nothing about the service."""


@dataclass(frozen=True)
class Bounds:
    """What the service may take, as its settings say it, in bytes."""

    service_bytes: int
    worker_bytes: int
    disk_bytes: int


@dataclass
class Findings:
    """`alone` and `attacked`: the honest clients. `hostile`: what each attack was answered. `defects`: answers of 500.

    `attacks`: those that ran, by name.
    """

    alone: Honest
    attacked: Honest
    hostile: Tally
    taken: Taken
    bounds: Bounds
    attacks: Sequence[str]
    defects: int = 0
    over_quota: list[str] = field(default_factory=list)

    @property
    def slower(self) -> tuple[float, float]:
        """How many times as long as alone: the median, and the recording that nine of ten were faster than."""
        return tuple(  # type: ignore[return-value]
            of(self.attacked.seconds) / of(self.alone.seconds) for of in (statistics.median, slow)
        )

    @property
    def can_be_compared(self) -> bool:
        return min(len(self.alone.seconds), len(self.attacked.seconds)) >= ENOUGH

    def faults(self) -> list[str]:
        return [*self._honest_faults(), *self._hostile_faults(), *self._resource_faults()]

    def _honest_faults(self) -> Iterator[str]:
        for name, honest in (("alone", self.alone), ("attacked", self.attacked)):
            yield from (f"honest, {name}: {refused}" for refused in honest.refused)
            if not honest.seconds:
                yield f"honest, {name}: no recording came to its transcript"
            if honest.asked_to_wait > MOST_ASKED_TO_WAIT * honest.answered:
                yield f"honest, {name}: asked to wait {honest.asked_to_wait} times, answered {honest.answered} times"
        if self.can_be_compared:
            for name, ratio in zip(("the median", "the slowest tenth"), self.slower, strict=True):
                if ratio > MOST_SLOWER:
                    yield f"honest: from finalize to transcript {name} took {ratio:.1f} x of what it takes alone"

    def _hostile_faults(self) -> Iterator[str]:
        for name in self.attacks:
            attack, answers = BY_NAME[name], self.hostile.of(name)
            for answer in attack.unexpected(answers):
                yield f"{name}: answered {answers[answer]} times with {answer!r}"
            if attack.refusals and not attack.is_refused(answers):
                yield f"{name}: never refused by its own name ({' or '.join(attack.refusals)})"

    def _resource_faults(self) -> Iterator[str]:
        for name, took, bound in self._resources():
            if took > bound:
                yield f"{name}: {took // MEBIBYTE} MiB, more than {bound // MEBIBYTE}"
        yield from self.over_quota
        if self.defects:
            yield f"{self.defects} requests were answered with 500"

    def _resources(self) -> list[tuple[str, int, int]]:
        taken, bounds = self.taken, self.bounds
        return [
            ("memory of the service", taken.service_bytes, bounds.service_bytes),
            ("memory of a worker", taken.worker_bytes, bounds.worker_bytes),
            ("disk", taken.disk_bytes, bounds.disk_bytes),
        ]

    def closing_line(self) -> str:
        told = "too few to compare their times"
        if self.can_be_compared:
            told = "{:.2f} x as long as alone, the slowest tenth {:.2f} x".format(*self.slower)
        faults = len(self.faults())
        return f"{faults or 'no'} faults; {len(self.attacked.seconds)} honest recordings beside the attacks, {told}"

    def lines(self) -> Iterator[str]:
        yield "                        recordings   median      slowest tenth   requests   asked to wait   refused"
        for name, honest in (("alone", self.alone), ("attacked", self.attacked)):
            times = honest.seconds or [0.0]
            yield (
                f"  honest, {name:<14}{len(honest.seconds):>10}{statistics.median(times):>9.2f} s{slow(times):>16.2f} s"
                f"{honest.answered:>11}{honest.asked_to_wait:>16}{len(honest.refused):>10}"
            )
        for name, took, bound in self._resources():
            yield f"  {name:<24}{took / MEBIBYTE:>8.0f} MiB, of at most {bound / MEBIBYTE:.0f}"
        yield f"  workers, one after another: {self.taken.workers_seen}"
        yield "What hostile clients were answered:"
        yield from self.hostile.lines()


def slow(times: Sequence[float]) -> float:
    """The time that nine of ten are faster than."""
    return sorted(times)[max(0, -(-len(times) * 9 // 10) - 1)]
