"""Answers kept until the event loop's next turn, for what every request asks and seldom changes.

Nothing is seen late because of it. What a turn handles had arrived before the turn began, so whatever was changed
before a request was sent is in an answer that is asked for in the same turn; and what arrives later is handled in a
later turn, which asks anew.
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
        if key in self._known:
            return self._known[key]
        answer = self._ask(key)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return answer
        if not self._known:
            loop.call_soon(self._known.clear)
        self._known[key] = answer
        return answer
