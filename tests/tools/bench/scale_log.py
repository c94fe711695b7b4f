"""Processes that write to one database for a while, beside one that follows the log, or beside none."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from tests.places import REPOSITORY
from tests.tools.bench.scale_marks import Followed, Written, lags_ms


@dataclass(frozen=True, slots=True)
class Load:
    """`seconds_a_commit`: how often a writer begins a commit, at most; 0: as often as it can."""

    writers: int
    commits_each: int
    events_a_commit: int
    seconds_a_commit: float = 0.0

    @property
    def events(self) -> int:
        """Of all writers, without their first commits, which are not measured."""
        return self.writers * self.commits_each * self.events_a_commit

    def at(self, events_a_second: float) -> "Load":
        """As much, but no more a second of all writers together."""
        return replace(self, seconds_a_commit=self.writers * self.events_a_commit / events_a_second)


@dataclass(frozen=True, slots=True)
class Lag:
    """Of each commit, in the order of positions, the milliseconds from when its writer had the answer until the
    follower was told of it, and until the follower had read it. Negative where the follower was first."""

    told_ms: list[float] = field(default_factory=list)
    read_ms: list[float] = field(default_factory=list)

    def add(self, other: "Lag") -> None:
        """Those of a further run."""
        self.told_ms.extend(other.told_ms)
        self.read_ms.extend(other.read_ms)


def events_a_second(url: str, kind: str, load: Load) -> float:
    """From when the writers begin until the last has ended. `kind`: of those that `scale_writer` knows."""
    with _writing(url, kind, load) as writers:
        written = _written(writers)
    return load.events / (max(each.ended for each in written) - min(each.began for each in written))


def lag(url: str, load: Load) -> Lag:
    """Of a process that follows the log beside the writers, whose events are those of stored chunks."""
    with _writing(url, "followed", load) as writers, _following(url, load) as follower:
        written = _written(writers)
        followed = Followed.from_line(_last_line(follower))
    commits = [commit for each in written for commit in each.commits]
    return Lag(lags_ms(commits, followed.told), lags_ms(commits, followed.read))


@contextmanager
def _writing(url: str, kind: str, load: Load) -> Iterator[list["subprocess.Popen[str]"]]:
    """Writers that are ready and wait until they may begin."""
    numbers = map(str, (load.commits_each, load.events_a_commit, load.seconds_a_commit))
    with _ready([("scale_writer", url, kind, *numbers)] * load.writers) as processes:
        yield processes


@contextmanager
def _following(url: str, load: Load) -> Iterator["subprocess.Popen[str]"]:
    """A follower that hears of what is committed from now on."""
    with _ready([("scale_follower", url, str(load.events))]) as (process,):
        yield process


@contextmanager
def _ready(calls: Sequence[tuple[str, ...]]) -> Iterator[list["subprocess.Popen[str]"]]:
    """Processes of these modules with these arguments, once all have said that they are ready; they end with the block.

    Raises: RuntimeError when one has ended instead.
    """
    with ExitStack() as stack:
        processes = [stack.enter_context(_process(module, arguments)) for module, *arguments in calls]
        for process in processes:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise RuntimeError(f"{process.args!r} ended before it was ready; it says above why.")
        yield processes


@contextmanager
def _process(module: str, arguments: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", f"tests.tools.bench.{module}", *arguments]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _written(writers: Sequence["subprocess.Popen[str]"]) -> list[Written]:
    """Lets all of them begin, and returns what each has committed."""
    for process in writers:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [Written.from_line(_last_line(process)) for process in writers]


def _last_line(process: "subprocess.Popen[str]") -> str:
    """What it says at its end. Raises: RuntimeError when it has failed."""
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{process.args!r} failed; it says above why.")
    return said
