"""Answers kept until the event loop's next turn, for what every request asks and seldom changes.

Nothing is seen late because of it. Who shares an answer was woken before it was asked for, so its request had arrived
by then, and whatever was changed before the request was sent is in the answer. What arrives later wakes its task after
the answer is forgotten. That holds for tasks that something which arrived has woken; not for the callbacks of a
transport, and not for a task that takes several requests in one go.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ThisTurn(Generic[K, V]):
    """Used from one event loop. Outside of one, every answer is asked for anew."""

    def __init__(self, ask: Callable[[K], V]) -> None:
        self._ask = ask
        self._known: dict[K, V] = {}

    def of(self, key: K) -> V:
        """The answer for `key`. Raises: what asking raises."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._ask(key)
        if key in self._known:
            return self._known[key]
        answer = self._ask(key)
        if not self._known:
            loop.call_soon(self._known.clear)
        self._known[key] = answer
        return answer
