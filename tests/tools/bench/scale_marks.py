"""What the processes of `make bench-scale` say of their runs, and the lag of a follower by that.

All of them read the machine's monotonic clock, which is one clock for all of its processes. Times are in seconds.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple


class Mark(NamedTuple):
    """When something had come as far as a position of the log. In a table without positions, that is 0."""

    position: int
    at: float


@dataclass(frozen=True, slots=True)
class Written:
    """What one process has committed between `began` and `ended`: of each commit its last event's position, and when
    the process had its answer."""

    began: float
    ended: float
    commits: list[Mark]

    def line(self) -> str:
        return json.dumps([self.began, self.ended, self.commits])

    @classmethod
    def from_line(cls, line: str) -> "Written":
        began, ended, commits = json.loads(line)
        return cls(began, ended, [Mark(*commit) for commit in commits])


@dataclass(frozen=True, slots=True)
class Followed:
    """How far a follower was told that the log went, and when; and how far it had read and decoded it, and when."""

    told: list[Mark]
    read: list[Mark]

    def line(self) -> str:
        return json.dumps([self.told, self.read])

    @classmethod
    def from_line(cls, line: str) -> "Followed":
        told, read = json.loads(line)
        return cls([Mark(*mark) for mark in told], [Mark(*mark) for mark in read])


def lags_ms(commits: Sequence[Mark], seen: Sequence[Mark]) -> list[float]:
    """For each commit, in the order of positions: the milliseconds from when its writer had the answer until it was
    seen. Negative for one that was seen before its writer had the answer.

    Raises: ValueError when a commit was never seen.
    """
    by_time = sorted(seen, key=lambda mark: mark.at)
    furthest = list(accumulate((mark.position for mark in by_time), max))
    lags, index = [], 0
    for commit in sorted(commits):
        while index < len(by_time) and furthest[index] < commit.position:
            index += 1
        if index == len(by_time):
            raise ValueError(f"The commit up to position {commit.position} was never seen.")
        lags.append((by_time[index].at - commit.at) * 1000)
    return lags
