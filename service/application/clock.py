"""The one clock, passed to whatever needs the time."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Returns the time as an aware UTC datetime."""


NewId = Callable[[], str]
"""Returns a new random name: 32 hex digits."""


LONGEST_SLEEP = timedelta(minutes=1)
"""After this long the clock is checked again: it may have been set."""


def utc_now() -> datetime:
    return datetime.now(UTC)


async def until(due: datetime, clock: Clock) -> None:
    """Return once it is that time."""
    while (left := due - clock()) > timedelta():  # noqa: ASYNC110 - no event tells that time has passed
        await asyncio.sleep(min(left, LONGEST_SLEEP).total_seconds())


async def kept_for(retention: timedelta, *, since: datetime, clock: Clock) -> None:
    """Return once that long has passed since then; since now if `since` is later, by a clock that was ahead."""
    await until(min(since, clock()) + retention, clock)
