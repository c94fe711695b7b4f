"""Keeps the claim of the host that leads, in a thread: a busy event loop would lose it."""

import asyncio
import logging
import threading
import time
from contextlib import suppress

from adapters.database.leadership import HUNG_SECONDS, Leadership
from adapters.sqlite_file import DatabaseUnavailable

logger = logging.getLogger("tapedeck")

RENEWAL_SECONDS = 1.0

GIVEN_UP_SECONDS = HUNG_SECONDS - 2.0
"""After so long without an answer another host may be about to lead."""


class KeptLead:
    """From its creation, in an event loop, until it is closed or `lost` is set: then another host may lead.

    The thread may wait for the server for long, so the event loop looks when it was last told that the claim is held.
    """

    def __init__(self, leadership: Leadership) -> None:
        self.lost = asyncio.Event()
        self._leadership = leadership
        self._loop = asyncio.get_running_loop()
        self._is_announced = False
        self._ends = threading.Event()
        self._confirmed_at = time.monotonic()
        self._looking = self._loop.call_later(GIVEN_UP_SECONDS, self._look)
        self._thread = threading.Thread(target=self._keep, name="keeps the lead", daemon=True)
        self._thread.start()

    def announce(self) -> bool:
        """From now on the other hosts find this one; False if it does not lead any more. Blocking.

        Raises: DatabaseUnavailable; ServerAway.
        """
        if self._ends.is_set() or self.lost.is_set() or not self._leadership.claim():
            return False
        self._is_announced = self._leadership.announce()
        return self._is_announced

    def _look(self) -> None:
        silent_seconds = time.monotonic() - self._confirmed_at
        if silent_seconds >= GIVEN_UP_SECONDS:
            self.lost.set()
        else:
            self._looking = self._loop.call_later(GIVEN_UP_SECONDS - silent_seconds, self._look)

    def _keep(self) -> None:
        try:
            while not self._ends.wait(RENEWAL_SECONDS) and self._is_kept():
                pass
        except Exception:
            logger.exception("the lead is not kept any more")
        finally:
            with suppress(RuntimeError):  # the loop is closed, and nobody leads here
                self._loop.call_soon_threadsafe(self.lost.set)

    def _is_kept(self) -> bool:
        """Whether it still is, or that is not known."""
        try:
            if not self._leadership.claim():
                return False
            self._confirmed_at = time.monotonic()
            return not self._is_announced or self._leadership.announce()
        except DatabaseUnavailable:
            return True  # the event loop does not wait for ever

    async def close(self) -> None:
        """It is not kept any more, and is not given back either."""
        self._ends.set()
        self._looking.cancel()
        await asyncio.to_thread(self._thread.join)
