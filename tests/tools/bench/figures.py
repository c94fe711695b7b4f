"""How measurements are taken and told."""

import statistics
import time
from collections.abc import Callable, Sequence


def spread(values: Sequence[float]) -> str:
    return f"median {statistics.median(values):.2f}   (min {min(values):.2f}, max {max(values):.2f})"


def nanoseconds(work: Callable[[], object]) -> int:
    """The time on this core that `work` took: what others do on the machine meanwhile counts as little as it can."""
    began = time.thread_time_ns()
    work()
    return time.thread_time_ns() - began
