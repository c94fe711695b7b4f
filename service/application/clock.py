"""The one clock, passed to whatever needs the time."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the time as an aware UTC datetime."""


def utc_now() -> datetime:
    return datetime.now(UTC)
