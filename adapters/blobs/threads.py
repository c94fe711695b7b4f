"""The threads in which a store does what blocks."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from adapters.blobs.port import StorageUnavailable

T = TypeVar("T")


class Threads:
    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="blobs")
        self.are_closed = False

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Run blocking work in a thread, to its end even if the caller is cancelled: nobody cleans up under it.

        Raises: StorageUnavailable once they are closed; what `work` raises.
        """
        if self.are_closed:
            raise StorageUnavailable("it has been closed")
        running = asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            while not running.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([running])
            running.exception()  # retrieved, or the loop would log it: the caller gets the cancellation
            raise
        finally:
            del running  # an error would hold this frame, and this frame the error, until cycles are looked for

    async def close(self) -> None:
        """Let running work end."""
        self.are_closed = True
        await asyncio.to_thread(self._pool.shutdown)
