"""Removes once an hour what small files keep longer than it is of use, and lets the files shrink."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from adapters.kept_answers import KeptAnswers
from adapters.one_thread import OneThread
from service.application.clock import Clock
from service.application.device_tokens import DeviceTokens

logger = logging.getLogger(__name__)

PRUNING_SECONDS = 3_600.0


class GivesBack(Protocol):
    """A file out of which things are removed."""

    def give_back(self) -> None:
        """Let the file shrink. Blocking: for threads. Raises: DatabaseUnavailable; sqlite3.Error."""
        ...


class Pruner:
    """`directory_thread`: the one that uses `device_tokens` and `kept_answers`."""

    name = "prune"

    def __init__(
        self,
        device_tokens: DeviceTokens,
        kept_answers: KeptAnswers,
        directory_thread: OneThread,
        *,
        files: Sequence[GivesBack],
        clock: Clock,
    ) -> None:
        self._device_tokens = device_tokens
        self._kept_answers = kept_answers
        self._directory_thread = directory_thread
        self._files = files
        self._clock = clock

    async def run(self) -> None:
        """Prune from time to time until cancelled. Raises: DatabaseFull, DatabaseUnavailable; sqlite3.Error."""
        while True:
            await self.prune()
            await asyncio.sleep(PRUNING_SECONDS)

    async def prune(self) -> None:
        """Prune now. Raises: as `run`."""
        forgotten = await self._directory_thread.run(self._device_tokens.forget_ended)
        await self._directory_thread.run(self._kept_answers.prune, now=self._clock())
        for file in self._files:
            await asyncio.to_thread(file.give_back)
        if forgotten:
            logger.info("forgotten", extra={"follower": self.name, "device_tokens": forgotten})
