"""Looking something up from an event loop: at once where that takes microseconds, else in a thread."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class LooksUp(Protocol):
    """A store, or its database."""

    @property
    def answers_at_once(self) -> bool:
        """See `Database.answers_at_once`."""
        ...


async def looked_up(store: LooksUp, find: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `find`, which asks this store, returns. Raises: what it raises."""
    if store.answers_at_once:
        return find(*args, **kwargs)
    return await asyncio.to_thread(find, *args, **kwargs)
