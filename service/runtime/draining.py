"""Stopping unnoticed by clients: first the service says that it is not ready, and only later refuses connections."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

STOPPING = "The service is about to stop."
"""What `/readyz` says then."""


class Drain:
    """Whether the service is about to stop. Used from one event loop."""

    def __init__(self) -> None:
        self._has_begun = False
        self._told: list[Callable[[], None]] = []
        self._under_way = 0
        self._none_under_way = asyncio.Event()
        self._none_under_way.set()

    @property
    def has_begun(self) -> bool:
        return self._has_begun

    def begin(self) -> None:
        """From now on `/readyz` answers 503, and each answer ends its connection."""
        self._has_begun = True
        for tell in self._told:
            tell()

    def when_begun(self, tell: Callable[[], None]) -> None:
        """Call this, too, once the service is about to stop."""
        self._told.append(tell)

    async def end_connection(self, _: web.Request, response: web.StreamResponse) -> None:
        """Signal handler: a client that keeps its connection would otherwise lose it between two requests, and could
        not know whether the second was carried out."""
        if self._has_begun:
            response.force_close()
            response.headers["Connection"] = "close"

    def counting(self) -> Middleware:
        """Counts the requests under way. The outermost middleware: a request that it has not seen may be cut."""

        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._under_way += 1
            self._none_under_way.clear()
            try:
                return await handler(request)
            finally:
                self._under_way -= 1
                if not self._under_way:
                    self._none_under_way.set()

        return count

    async def requests_ended(self, seconds: float) -> None:
        """Return when no request is under way, or after so many seconds.

        aiohttp must not be told to shut down before: from then on it throws away what arrives of a body.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none_under_way.wait()


class StopSignals:
    """SIGTERM and Ctrl-C: the first asks the service to stop, a second one to do so without waiting for clients to
    notice."""

    def __init__(self) -> None:
        self._first, self._second = asyncio.Event(), asyncio.Event()

    def came(self) -> None:
        (self._second if self._first.is_set() else self._first).set()

    async def first(self) -> None:
        await self._first.wait()

    async def second_within(self, seconds: float) -> None:
        """Return after so many seconds, or when a second signal comes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._second.wait()


def stop_this_process() -> None:
    """Ask this process to stop, without waiting for clients to notice."""
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGTERM)
