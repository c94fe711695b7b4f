"""The one retry policy: exponential backoff with jitter, bounded by time or by number."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from random import Random


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait before each further try.

    `first` is the delay before the second try; every later one is `factor` times longer, up to `longest`.
    `jitter` (0 to 1) is the random share of each delay, so that many clients that lost the same service do not come
    back at the same moment. `attempts` counts all tries, including the first; `patience` bounds the sum of the delays.
    None means no bound.
    """

    first: timedelta = timedelta(milliseconds=200)
    factor: float = 2.0
    longest: timedelta = timedelta(seconds=10)
    patience: timedelta | None = None
    attempts: int | None = None
    jitter: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a policy that makes no sense.

        Raises: ValueError.
        """
        if self.first < timedelta() or self.longest < self.first:
            raise ValueError("a retry policy needs 0 <= first <= longest")
        if self.factor < 1:
            raise ValueError("delays never get shorter: factor must be at least 1")
        if not 0 <= self.jitter <= 1:
            raise ValueError("jitter is a share of the delay, from 0 to 1")
        if self.attempts is not None and self.attempts < 1:
            raise ValueError("attempts counts the first try too, so it is at least 1")

    def delays(self, random: Random) -> Iterator[timedelta]:
        """Yield the delay before each further try, until the policy gives up."""
        waited = timedelta()
        delay = self.first
        tries = 1
        while self.attempts is None or tries < self.attempts:
            jittered = delay * (1 - self.jitter * random.random())
            if self.patience is not None and waited + jittered > self.patience:
                return
            yield jittered
            waited += jittered
            tries += 1
            delay = min(delay * self.factor, self.longest)
