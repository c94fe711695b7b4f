"""Calls aiokafka so that whoever is cancelled meanwhile, or loses patience, is cancelled for certain.

aiokafka forgets a cancellation that comes at the wrong moment: a client that closes waits for tasks of its own that it
has cancelled, and takes the cancellation of whoever awaits it for theirs. So it runs in a task apart, where a forgotten
cancellation can be repeated, and the caller's own never reaches it.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

GRACE_SECONDS = 3
REPEAT_SECONDS = 0.05

T = TypeVar("T")


async def call(work: Coroutine[Any, Any, T], *, grace_seconds: float = 0) -> T:
    """What `work` gives, or raises.

    When the caller is cancelled, `work` may go on for the grace, is then cancelled until it has ended, and the caller
    is told of its cancellation after that.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _end(task, grace_seconds)
        raise


async def start(client: Any) -> None:
    """Start a producer, consumer or admin client.

    Cancelled in the middle of its first connection, aiokafka would leave that one open; so it may finish it first.
    """
    await call(client.start(), grace_seconds=GRACE_SECONDS)


async def close(closing: Coroutine[Any, Any, None]) -> None:
    """Let go of a client, also when the caller is cancelled meanwhile. One that does not close in time is cut off."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE_SECONDS):
            await call(closing, grace_seconds=GRACE_SECONDS)


async def _end(task: asyncio.Task[Any], grace_seconds: float) -> None:
    try:
        if grace_seconds > 0:
            await asyncio.wait([task], timeout=grace_seconds)
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=REPEAT_SECONDS)
    if not task.cancelled():
        task.exception()  # fetched, so that nobody reports it as forgotten
