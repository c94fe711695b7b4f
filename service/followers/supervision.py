"""Keeps followers running: an error that one cannot handle is logged, and it starts again from its saved position."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random

from adapters.blobs.port import StorageUnavailable
from adapters.database.port import ServerAway
from adapters.event_log.log import EventLog
from adapters.event_log.port import LogFull, LogUnavailable
from adapters.rebuilding import OtherSchema
from service.application.retry import RetryPolicy

logger = logging.getLogger(__name__)

HEALTHY_SECONDS = 60
"""A follower that ran this long was healthy: its next restart is quick again."""

RESTARTS = RetryPolicy(first=timedelta(milliseconds=200), longest=timedelta(seconds=10))


_NO_DEFECTS = (
    (StorageUnavailable, "follower waits for the blob storage"),
    (OtherSchema, "follower leaves its view alone until the service starts again"),
)
"""What is said of each in a sentence: no traceback would say more."""


class Supervision:
    """Of all followers of one process: while the log is unavailable, or the server with the views, they wait together,
    and one line says so."""

    def __init__(self, log: EventLog, random: Random) -> None:
        self._log = log
        self._random = random
        self._asking = asyncio.Lock()
        self._answered_at = 0.0

    async def keep_running(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run until cancelled."""
        clock = asyncio.get_running_loop()
        delays = RESTARTS.delays(self._random)
        while True:
            began = clock.time()
            try:
                await run()
            except Exception as error:
                if isinstance(error, LogUnavailable | ServerAway) and not isinstance(error, LogFull):
                    await self._wait_for_the_log(error)
                elif (said := next((each for kind, each in _NO_DEFECTS if isinstance(error, kind)), None)) is not None:
                    logger.warning(said, extra={"follower": name, "because": str(error)})
                else:
                    logger.exception("follower stopped; it starts again", extra={"follower": name})
            if clock.time() - began > HEALTHY_SECONDS:
                delays = RESTARTS.delays(self._random)
            await asyncio.sleep(next(delays).total_seconds())

    async def _wait_for_the_log(self, error: Exception) -> None:
        """Return once it answers. The first that finds it unavailable says so, and asks for all."""
        clock = asyncio.get_running_loop()
        failed_at = clock.time()
        async with self._asking:
            if self._answered_at > failed_at:
                return
            logger.warning("followers wait for the event log", extra={"because": str(error)})
            for delay in RESTARTS.delays(self._random):
                await asyncio.sleep(delay.total_seconds())
                if await self._answers():
                    break
            self._answered_at = clock.time()
            logger.info("the event log answers; followers go on")

    async def _answers(self) -> bool:
        try:
            await self._log.refresh_head()
        except LogUnavailable:
            return False
        return True
