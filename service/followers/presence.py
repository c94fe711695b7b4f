"""How a publisher that stands by learns at once that the one which publishes has ended.

The publisher holds a lock meanwhile, which ends with its process. Whether it holds it decides nothing: it may have
taken over from one that hangs and has it still. Who is shut out, only Kafka says.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

LOOK_SECONDS = 0.5
"""How often a publisher looks whether it still holds the lock, or can have it by now."""


class Presence(Protocol):
    async def take(self) -> bool:
        """Whether this process holds the lock now; False also if that cannot be known."""
        ...

    async def leave(self) -> None: ...


class NotTold:
    """Where processes have no such lock: a publisher that stands by has nothing but its patience."""

    async def take(self) -> bool:
        return False

    async def leave(self) -> None:
        pass


@asynccontextmanager
async def told(presence: Presence) -> AsyncIterator[None]:
    """A block in which the lock is held as soon and as long as it can be. It may be held before."""
    is_over = asyncio.Event()

    async def keep() -> None:
        while not is_over.is_set():
            await presence.take()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await is_over.wait()
        await presence.leave()

    keeping = asyncio.create_task(keep(), name="presence")
    try:
        yield
    finally:
        is_over.set()  # and not cancelled: what it asks goes on in a thread
        await keeping
