"""Retries: one loop for every call, so that a service that is killed and restarted is only a pause."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import Random, SystemRandom
from typing import TypeVar

from service.application.retry import RetryPolicy
from service.client.errors import ApiError, ClientFailure, Unreachable

PATIENT = RetryPolicy(
    first=timedelta(milliseconds=250),
    factor=2.0,
    longest=timedelta(seconds=10),
    patience=timedelta(minutes=2),
    jitter=0.5,
)


T = TypeVar("T")


class Setback(Exception):
    """A try failed, and a later one may succeed: no connection, a timeout, a 429, a 5xx.

    `retry_after` is what the service asked for; `refusal` is its answer, if there was one.
    """

    def __init__(self, reason: str, *, retry_after: timedelta | None = None, refusal: ApiError | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.refusal = refusal


def _unheard(_reason: str, _delay: timedelta) -> None:
    """Nobody listens to setbacks."""


@dataclass(frozen=True)
class Attempts:
    """Repeats a call until it succeeds, is refused for good, or patience ends.

    Patience includes the time that the tries themselves take. `on_setback` gets the reason why a try failed and how
    long the wait will be.
    """

    policy: RetryPolicy = PATIENT
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic
    random: Random = field(default_factory=SystemRandom)
    on_setback: Callable[[str, timedelta], None] = _unheard

    async def until_done(self, server: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return what `attempt` returns, trying again after each Setback.

        Raises: Unreachable when patience ends without an answer; ApiError when it ends with a refusal such as 503.
        """
        began = self.monotonic()
        delays = self.policy.delays(self.random)
        tries = 0
        while True:
            tries += 1
            try:
                return await attempt()
            except Setback as setback:
                delay = self._next_delay(next(delays, None), setback, began)
                if delay is None:
                    raise _given_up(server, setback, tries) from setback
                self.on_setback(setback.reason, delay)
            await self.sleep(delay.total_seconds())

    def _next_delay(self, delay: timedelta | None, setback: Setback, began: float) -> timedelta | None:
        if delay is None:
            return None
        if setback.retry_after is not None:
            delay = max(delay, setback.retry_after)
        spent = timedelta(seconds=self.monotonic() - began)
        if self.policy.patience is not None and spent + delay > self.policy.patience:
            return None
        return delay


def retry_after(header: str | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> timedelta | None:
    """Read a Retry-After header: whole seconds or an HTTP date (RFC 9110, 10.2.3). None when absent or invalid."""
    if header is None:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return timedelta(seconds=int(header.strip()[:9]))
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(moment.replace(tzinfo=moment.tzinfo or UTC) - now(), timedelta())


def _given_up(server: str, setback: Setback, tries: int) -> ClientFailure:
    return setback.refusal or Unreachable(server, setback.reason, tries)
