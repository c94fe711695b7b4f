"""Starts aiokafka's clients so that nothing is left behind when whoever waits is cancelled, or loses patience."""

import asyncio
from typing import Any

GRACE_SECONDS = 3


async def start(client: Any) -> None:
    """Start a producer, consumer or admin client.

    Cancelled in the middle of its first connection, aiokafka would leave that one open; so it may finish it first.
    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    except BaseException:
        await asyncio.wait([starting], timeout=GRACE_SECONDS)
        starting.cancel()
        await asyncio.wait([starting])
        if not starting.cancelled():
            starting.exception()  # fetched, so that nobody reports it as forgotten
        raise
