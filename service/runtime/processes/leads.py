"""Which process answers all but chunks, as an API process knows it."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from adapters.event_log.port import LogUnavailable

HERE = ""
"""The one that has started this process. Any other place is the address of another host."""

GRACE_SECONDS = 15.0
"""How long an answer may take of a process that does not lead any more: longer than streams are silent."""

T = TypeVar("T")


class NotHandedOver(LogUnavailable):
    """The other process does not answer. What it has done of the request is not known."""

    def __init__(self) -> None:
        super().__init__("A part of the service is just starting; try again.")


class Leads:
    """Used from one event loop. `place`: None if nobody is known. `may_change`: whether another may ever answer."""

    def __init__(self, place: str | None, *, may_change: bool) -> None:
        self.may_change = may_change
        self._place = place
        self._changed = asyncio.Event()

    def tell(self, place: str | None) -> None:
        """From now on it is that one."""
        if place != self._place:
            self._place = place
            self._changed.set()
            self._changed = asyncio.Event()

    async def known(self, until: float) -> str:
        """Waits for one until that time of the event loop. Raises: NotHandedOver."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                while self._place is None:
                    await self._changed.wait()
        if self._place is None:
            raise NotHandedOver
        return self._place

    async def unless_another(self, place: str, asked: Coroutine[Any, Any, T]) -> T:
        """What it returns. Once the one that is asked does not lead any more, it has ended, is about to, or hangs: then
        its answer is waited for a while only. Raises: NotHandedOver; what it raises."""
        if not self.may_change:
            return await asked
        answer = asyncio.ensure_future(asked)
        another = asyncio.create_task(self._another_than(place))
        try:
            await asyncio.wait({answer, another}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                await asyncio.wait({answer}, timeout=GRACE_SECONDS)
            if answer.done():
                return answer.result()
            raise NotHandedOver
        finally:
            for task in (answer, another):
                task.cancel()
            await asyncio.gather(answer, another, return_exceptions=True)

    async def _another_than(self, place: str) -> None:
        while self._place == place:
            await self._changed.wait()
