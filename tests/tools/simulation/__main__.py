"""`python -m tests.tools.simulation`: many seeds in several processes; with `--seed N`, one of them in full.

In the environment: SIMULATION_SEEDS is their number (10 000), SIMULATION_FIRST_SEED the first (0), and
SIMULATION_PROCESSES the number of processes (2).
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.tools.simulation.run import Run, simulate

SHOWN_FAILURES = 10


@dataclass
class Totals:
    """What all runs together exercised."""

    runs: int = 0
    steps: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    event_types: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    failed: list[Run] = field(default_factory=list)

    def add(self, run: Run) -> None:
        self.runs += 1
        self.steps += run.steps
        self.faults += run.faults
        self.event_types += Counter(type(recorded.event).__name__ for recorded in run.log)
        self.answers += run.answers
        if run.violations:
            self.failed.append(run)

    def show(self, seconds: float) -> None:
        events = self.event_types.total()
        print(f"{self.runs} runs in {seconds:.0f} s: {events} events, {self.steps} steps of the event loop")
        shown = {"events": self.event_types, "answers to clients": self.answers, "faults": self.faults}
        for title, counts in shown.items():
            print(f"{title}:")
            for name, count in counts.most_common():
                print(f"  {count:9} {name}")
        print(f"{len(self.failed)} runs failed")
        for run in self.failed[:SHOWN_FAILURES]:
            print(f"seed {run.seed}: {run.violations[0][:400]}")
            print(f"  again, with its trace: python -m tests.tools.simulation --seed {run.seed}")


def main() -> int:
    """The exit code: 0 when every run was faultless."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run only this one and print its trace")
    parser.add_argument("--until-failure", action="store_true", help="stop at the first run that fails")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return show(arguments.seed)
    return soak(until_failure=arguments.until_failure)


def show(seed: int) -> int:
    run = simulate(seed)
    print("\n".join(run.lines))
    print(f"trace {run.trace_hash}, {run.steps} steps")
    for violation in run.violations:
        print(f"VIOLATION {violation}")
    return 1 if run.violations else 0


def soak(*, until_failure: bool) -> int:
    first = int(os.environ.get("SIMULATION_FIRST_SEED", "0"))
    seeds = range(first, first + int(os.environ.get("SIMULATION_SEEDS", "10000")))
    began, totals = time.monotonic(), Totals()
    with multiprocessing.Pool(int(os.environ.get("SIMULATION_PROCESSES", "2"))) as processes:
        for run in processes.imap_unordered(simulate_briefly, seeds, chunksize=5):
            totals.add(run)
            if until_failure and totals.failed:
                break
            if sys.stdout.isatty():
                print(f"\r{totals.runs} of {len(seeds)}, {len(totals.failed)} failed", end="", flush=True)
    totals.show(time.monotonic() - began)
    return 1 if totals.failed else 0


def simulate_briefly(seed: int) -> Run:
    """The run without its trace, which `--seed` can show at any time."""
    run = simulate(seed)
    run.lines.clear()
    return run


if __name__ == "__main__":
    sys.exit(main())
