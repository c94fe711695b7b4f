"""Calls aiokafka so that a caller that is cancelled meanwhile, or times out, is certain to be cancelled.

aiokafka loses a cancellation that comes at the wrong moment: a client that closes waits for its own cancelled tasks,
and mistakes its caller's cancellation for theirs. So it runs in a separate task, where a lost cancellation can be
repeated, and which the caller's own cancellation never reaches.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

GRACE_SECONDS = 3
REPEAT_SECONDS = 0.05

T = TypeVar("T")


async def call(work: Coroutine[Any, Any, T], *, grace_seconds: float = 0) -> T:
    """Return, or raise, what `work` does.

    When the caller is cancelled, `work` may run on for the grace period and is then cancelled until it has ended; only
    then does the caller see its own cancellation.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _end(task, grace_seconds)
        raise


async def start(client: Any) -> None:
    """Start a producer, consumer or admin client.

    Cancelled while it makes its first connection, aiokafka would leave that open, so it may finish connecting first.
    """
    await call(client.start(), grace_seconds=GRACE_SECONDS)


async def close(closing: Coroutine[Any, Any, None]) -> None:
    """Close a client, even when the caller is cancelled meanwhile. One that does not close in time is abandoned."""
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
        task.exception()  # retrieved, so that asyncio does not report it as unhandled
