"""Keeps the claim of the host that leads, in a thread: a busy event loop would lose it."""

import asyncio
import threading
import time

from adapters.database.leadership import HUNG_SECONDS, Leadership
from adapters.sqlite_file import DatabaseUnavailable

RENEWAL_SECONDS = 1.0

GIVEN_UP_SECONDS = HUNG_SECONDS - 2.0
"""After so long without an answer another host may be about to lead."""


class KeptLead:
    """From its creation, in an event loop, until it is closed or `lost` is set: then another host may lead."""

    def __init__(self, leadership: Leadership) -> None:
        self.lost = asyncio.Event()
        self._leadership = leadership
        self._loop = asyncio.get_running_loop()
        self._is_announced = False
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeps the lead", daemon=True)
        self._thread.start()

    def announce(self) -> bool:
        """From now on the other hosts find this one; False if another has the claim by now. Blocking.

        Raises: DatabaseUnavailable; ServerAway.
        """
        if not self._leadership.claim():
            return False
        self._leadership.announce()
        self._is_announced = True
        return True

    def _keep(self) -> None:
        confirmed_at = time.monotonic()
        while not self._ends.wait(RENEWAL_SECONDS):
            try:
                if not self._leadership.claim():
                    break
                confirmed_at = time.monotonic()
                if self._is_announced:
                    self._leadership.announce()  # if it had been lost, and was claimed again
            except DatabaseUnavailable:
                if time.monotonic() - confirmed_at > GIVEN_UP_SECONDS:
                    break
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.lost.set)

    async def close(self) -> None:
        """It is not kept any more, and is not given back either."""
        self._ends.set()
        await asyncio.to_thread(self._thread.join)
