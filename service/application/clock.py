"""The one clock, passed to whatever needs the time."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the time as an aware UTC datetime."""


NewId = Callable[[], str]
"""Returns a new random name: 32 hex digits."""


def utc_now() -> datetime:
    return datetime.now(UTC)
