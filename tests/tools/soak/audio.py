"""Twenty thousand damaged recordings through stitching and decoding, in worker processes as in the service.

Each ends in audio of a plausible length, as long to speech engines as was told, or in an error with a named reason: no
other exception, no crash, and neither more time nor more memory than a job may have.
"""

import argparse
import asyncio
import faulthandler
import os
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from resource import RLIMIT_AS, setrlimit
from tempfile import TemporaryDirectory

from adapters.audio.decoding import SAMPLE_RATE, pcm_blocks
from adapters.audio.errors import AudioError
from adapters.audio.stitching import stitch
from adapters.worker_processes import WorkerDied, WorkerProcesses, WorkerTimedOut
from tests.adapters.audio.samples import opener, openers
from tests.places import REPOSITORY
from tests.tools.peak_memory import MEBIBYTE, peak_bytes
from tests.tools.soak.audio_cases import AudioCase, case_of

CASES = 20_000
MOST_CPU_SECONDS = 10
MOST_BYTES = 512 * MEBIBYTE
FAILURES = REPOSITORY / ".soak-audio"
_HANG = timedelta(minutes=5)
"""Without any CPU time used: a job that waits for something that never comes."""
_ADDRESS_SPACE = 4 * 1024 * MEBIBYTE
"""So that a bomb fails, instead of taking the machine with it."""
_AGREE_MS = 20
_SILENCE_MS = 6 * 3600 * 1000
"""The most silence that a file's clock is believed to ask for."""
_STRETCH = 64
"""A changed header makes a sound so many times as long: 16 kHz becomes 1 kHz, 64 bits become 16."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`ends`: "audio", or the reason of the error that the user is told. `fault`: what must never happen, or None."""

    seed: int
    ends: str
    fault: str | None = None
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    stitched_ms: int | None = None
    heard_ms: int | None = None


@dataclass(slots=True)
class Summary:
    cases: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    faults: list[Outcome] = field(default_factory=list)
    slowest: Outcome = field(default_factory=lambda: Outcome(-1, ""))
    largest: Outcome = field(default_factory=lambda: Outcome(-1, ""))

    def add(self, outcome: Outcome) -> None:
        self.cases += 1
        self.ends[outcome.ends] += 1
        self.slowest = max(self.slowest, outcome, key=lambda one: one.cpu_seconds)
        self.largest = max(self.largest, outcome, key=lambda one: one.memory_bytes)
        if outcome.fault is not None:
            self.faults.append(outcome)

    def lines(self) -> Iterator[str]:
        yield f"{self.cases} damaged recordings:"
        for ends, count in self.ends.most_common():
            yield f"  {ends:<36}{count}"
        yield f"  slowest     seed {self.slowest.seed}: {self.slowest.cpu_seconds:.2f} s of CPU time"
        yield f"  largest     seed {self.largest.seed}: {self.largest.memory_bytes / MEBIBYTE:.0f} MiB"
        yield f"  faults      {len(self.faults)}"


def run_case(seed: int) -> Outcome:
    """One case in this process. It ends by SIGPROF when the case takes too much CPU time: C code heeds nothing else."""
    return run(case_of(seed))


def run(case: AudioCase) -> Outcome:
    _reset_peak()
    signal.setitimer(signal.ITIMER_PROF, MOST_CPU_SECONDS)
    before = time.process_time()
    try:
        ends, fault, stitched_ms, heard_ms = _tried(case)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    cpu_seconds, memory_bytes = time.process_time() - before, peak_bytes()
    if memory_bytes > MOST_BYTES:
        fault = fault or f"took {memory_bytes // MEBIBYTE} MiB"
    return Outcome(case.seed, ends, fault, cpu_seconds, memory_bytes, stitched_ms, heard_ms)


def _tried(case: AudioCase) -> tuple[str, str | None, int | None, int | None]:
    stitched_ms = heard_ms = None
    with TemporaryDirectory(prefix="soak-audio-") as folder:
        output = Path(folder) / "stitched"
        try:
            stitched_ms = stitch(openers(case.chunks), output).duration_ms
            ends = "audio"
        except AudioError as error:
            ends = error.reason
        except Exception as error:  # noqa: BLE001 - any other is a fault, to be told with its seed
            return "fault", _told("stitch", error), None, None
        try:
            source = (lambda: output.open("rb")) if stitched_ms is not None else opener(b"".join(case.chunks))
            heard_ms = sum(len(block) for block in pcm_blocks(source)) * 1000 // SAMPLE_RATE
        except AudioError as error:
            if stitched_ms is not None:
                return "fault", f"stitched {stitched_ms} ms that are not heard: {error}", stitched_ms, None
        except Exception as error:  # noqa: BLE001
            return "fault", _told("pcm_blocks", error), stitched_ms, None
    return ends, _implausible(case, stitched_ms, heard_ms), stitched_ms, heard_ms


def _told(what: str, error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{what} raised {type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"


def _implausible(case: AudioCase, stitched_ms: int | None, heard_ms: int | None) -> str | None:
    longest = longest_ms(case)
    for name, length in (("stitched", stitched_ms), ("heard", heard_ms)):
        if length is not None and not 0 <= length <= longest:
            return f"{name} {length} ms of files that hold at most {longest} ms"
    if stitched_ms is not None and heard_ms is not None and abs(stitched_ms - heard_ms) > _AGREE_MS:
        return f"stitched {stitched_ms} ms, of which {heard_ms} ms are heard"
    return None


def longest_ms(case: AudioCase) -> int:
    """What a case's files can hold: their sound, as slow as a changed header can make it, and what gaps may add."""
    return (case.sound_ms * _STRETCH + _SILENCE_MS) * (1 + len(case.chunks))


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _prepare() -> None:
    setrlimit(RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    faulthandler.enable()  # where it crashed
    faulthandler.register(signal.SIGPROF, chain=True)  # or what took so long


async def soak(
    seeds: Iterable[int], *, workers: int, failures: Path | None = None, job: Callable[[int], Outcome] = run_case
) -> Summary:
    """Run the cases of these seeds. `failures`: where the chunks of each that fails are written, in a folder each."""
    processes = WorkerProcesses(workers, initializer=_prepare)
    summary = Summary()
    waiting = iter(seeds)

    async def runner() -> None:
        for seed in waiting:
            outcome = await _outcome(processes, job, seed)
            summary.add(outcome)
            if outcome.fault is not None:
                _tell(outcome, failures)

    try:
        await asyncio.gather(*(runner() for _ in range(workers)))
    finally:
        await processes.close()
    return summary


async def _outcome(processes: WorkerProcesses, job: Callable[[int], Outcome], seed: int) -> Outcome:
    try:
        return await processes.run(job, seed, timeout=_HANG)
    except WorkerTimedOut:
        return Outcome(seed, "fault", "hangs")
    except WorkerDied:
        return Outcome(seed, "fault", f"the worker died: a crash, or more than {MOST_CPU_SECONDS} s of CPU time")


def _tell(outcome: Outcome, failures: Path | None) -> None:
    case = case_of(outcome.seed)
    print(f"seed {outcome.seed}: {outcome.fault}\n  {'; '.join(case.story)}", flush=True)
    if failures is not None:
        save(case, failures / str(outcome.seed))


def save(case: AudioCase, folder: Path) -> None:
    """Write the chunks as files, and the story."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "story.txt").write_text("\n".join(case.story) + "\n")
    for number, chunk in enumerate(case.chunks, 1):
        (folder / f"chunk_{number:02}").write_bytes(chunk)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make soak-audio", description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES, help=f"how many, {CASES} unless given")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seed", type=int, help="run this one alone, in this process, and save its chunks")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--failures", type=Path, default=FAILURES, help="the folder for the chunks of what fails")
    asked = parser.parse_args(arguments)
    if asked.seed is not None:
        return _alone(asked.seed, asked.failures)
    started = time.perf_counter()
    seeds = range(asked.first_seed, asked.first_seed + asked.cases)
    summary = asyncio.run(soak(seeds, workers=asked.workers, failures=asked.failures))
    print("\n".join(summary.lines()))
    print(f"  took        {time.perf_counter() - started:.0f} s")
    for outcome in summary.faults:
        print(f"again with: make soak-audio ARGS='--seed {outcome.seed}'  # {outcome.fault}")
    return 1 if summary.faults else 0


def _alone(seed: int, failures: Path) -> int:
    case = case_of(seed)
    save(case, failures / str(seed))
    print(f"seed {seed}: {'; '.join(case.story)}\n  chunks in {failures / str(seed)}", flush=True)
    outcome = run(case)
    print(f"  {outcome}")
    return 0 if outcome.fault is None else 1


if __name__ == "__main__":
    sys.exit(main())
