"""Keeps a follower running: what it cannot handle is logged, and it starts again from its recorded position."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random

from service.retry import RetryPolicy

logger = logging.getLogger(__name__)

RESTARTS = RetryPolicy(first=timedelta(milliseconds=200), longest=timedelta(seconds=10))


async def keep_running(name: str, run: Callable[[], Awaitable[None]], random: Random) -> None:
    """Run for ever, until cancelled."""
    while True:
        for delay in RESTARTS.delays(random):
            try:
                await run()
            except Exception:
                logger.exception("follower stopped; it starts again", extra={"follower": name})
            await asyncio.sleep(delay.total_seconds())
