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
"""Of all honest requests, and one of them anyway."""
ENOUGH = 8
"""Recordings, alone and beside the attacks: with fewer, their times say nothing about the service."""


@dataclass(frozen=True)
class Bounds:
    """What the service may take, as its settings say it, in bytes."""

    service_bytes: int
    worker_bytes: int
    disk_bytes: int


@dataclass(frozen=True)
class Group:
    """Honest clients of one protocol, alone and beside the attacks."""

    name: str
    alone: Honest
    attacked: Honest

    @property
    def phases(self) -> tuple[tuple[str, Honest], tuple[str, Honest]]:
        return (f"{self.name}, alone", self.alone), (f"{self.name}, attacked", self.attacked)

    @property
    def can_be_compared(self) -> bool:
        return min(len(self.alone.seconds), len(self.attacked.seconds)) >= ENOUGH

    @property
    def slower(self) -> tuple[float, float]:
        """How many times as long as alone: the median, and the recording that nine of ten were faster than."""
        alone, attacked = self.alone.seconds, self.attacked.seconds
        return statistics.median(attacked) / statistics.median(alone), slow(attacked) / slow(alone)

    def faults(self) -> Iterator[str]:
        for name, honest in self.phases:
            yield from (f"{name}: {refused}" for refused in honest.refused)
            if not honest.seconds:
                yield f"{name}: no recording came to its transcript"
            if honest.asked_to_wait > max(1, MOST_ASKED_TO_WAIT * honest.answered):
                yield f"{name}: asked to wait {honest.asked_to_wait} times, answered {honest.answered} times"
        if self.can_be_compared:
            for which, ratio in zip(("the median", "the slowest tenth"), self.slower, strict=True):
                if ratio > MOST_SLOWER:
                    yield f"{self.name}: {which} of the recordings took {ratio:.1f} x as long as alone"


@dataclass
class Findings:
    """`attacks`: those that ran, by name. `hostile`: their answers. `others`: further faults, a sentence each."""

    honest: Sequence[Group]
    hostile: Tally
    taken: Taken
    bounds: Bounds
    attacks: Sequence[str]
    others: list[str] = field(default_factory=list)

    def faults(self) -> list[str]:
        honest = [fault for group in self.honest for fault in group.faults()]
        return [*honest, *self._hostile_faults(), *self._resource_faults()]

    def _hostile_faults(self) -> Iterator[str]:
        for name in self.attacks:
            attack, answers = BY_NAME[name], self.hostile.of(name)
            for answer in attack.unexpected(answers):
                yield f"{name}: answered {answers[answer]} times with {answer!r}"
            for missing in attack.missing(answers):
                yield f"{name}: never refused with {missing!r}"

    def _resource_faults(self) -> Iterator[str]:
        for name, took, bound in self._resources():
            if took > bound:
                yield f"{name}: {took // MEBIBYTE} MiB, more than {bound // MEBIBYTE}"
        yield from self.others

    def _resources(self) -> list[tuple[str, int, int]]:
        taken, bounds = self.taken, self.bounds
        return [
            ("memory of the service", taken.service_bytes, bounds.service_bytes),
            ("memory of a worker", taken.worker_bytes, bounds.worker_bytes),
            ("disk", taken.disk_bytes, bounds.disk_bytes),
        ]

    def closing_line(self) -> str:
        count = sum(len(group.attacked.seconds) for group in self.honest)
        compared = [
            "{}: {:.2f} x as long as alone, the slowest tenth {:.2f} x".format(group.name, *group.slower)
            for group in self.honest
            if group.can_be_compared
        ]
        told = "; ".join(compared) or "too few to compare their times"
        return f"{len(self.faults()) or 'no'} faults; {count} honest recordings beside the attacks; {told}"

    def lines(self) -> Iterator[str]:
        yield "  honest              recordings      median  slowest tenth    answers  asked to wait  refused"
        for name, honest in (phase for group in self.honest for phase in group.phases):
            times = honest.seconds or [0.0]
            yield (
                f"  {name:<20}{len(honest.seconds):>10}{statistics.median(times):>10.2f} s{slow(times):>13.2f} s"
                f"{honest.answered:>11}{honest.asked_to_wait:>15}{len(honest.refused):>9}"
            )
        for name, took, bound in self._resources():
            yield f"  {name:<24}{took / MEBIBYTE:>8.0f} MiB, of at most {bound / MEBIBYTE:.0f}"
        yield f"  workers, one after another: {self.taken.workers_seen}"
        yield "What hostile clients were answered:"
        yield from self.hostile.lines()


def slow(times: Sequence[float]) -> float:
    """The time that nine of ten are faster than."""
    return sorted(times)[max(0, -(-len(times) * 9 // 10) - 1)]
