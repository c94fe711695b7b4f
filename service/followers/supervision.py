"""Keeps a follower running: an error it cannot handle is logged, and it starts again from its saved position."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random

from service.application.retry import RetryPolicy

logger = logging.getLogger(__name__)

HEALTHY_SECONDS = 60
"""A follower that ran this long was healthy: its next restart is quick again."""

RESTARTS = RetryPolicy(first=timedelta(milliseconds=200), longest=timedelta(seconds=10))


async def keep_running(name: str, run: Callable[[], Awaitable[None]], random: Random) -> None:
    """Run until cancelled."""
    clock = asyncio.get_running_loop()
    delays = RESTARTS.delays(random)
    while True:
        began = clock.time()
        try:
            await run()
        except Exception:
            logger.exception("follower stopped; it starts again", extra={"follower": name})
        if clock.time() - began > HEALTHY_SECONDS:
            delays = RESTARTS.delays(random)
        await asyncio.sleep(next(delays).total_seconds())
