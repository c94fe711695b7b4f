"""How measurements are taken and printed."""

import statistics
import time
from collections.abc import Callable, Sequence


def spread(values: Sequence[float]) -> str:
    return f"median {statistics.median(values):.2f}   (min {min(values):.2f}, max {max(values):.2f})"


def percentiles_ms(values: Sequence[float]) -> str:
    """Of at least two times, in milliseconds."""
    percentiles = statistics.quantiles(values, n=100, method="inclusive")
    return f"median {percentiles[49]:.1f} ms   p99 {percentiles[98]:.1f} ms"


def nanoseconds(work: Callable[[], object]) -> int:
    """The processor time that `work` took: other load on the machine affects that as little as possible."""
    began = time.thread_time_ns()
    work()
    return time.thread_time_ns() - began
