"""Looking something up from an event loop: at once where that takes microseconds, else in a thread.

The threads are for databases alone: a server that hangs keeps them waiting, and all other work of threads goes on.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 16
"""How many threads: so many connections are in use at once for what is done here."""

_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="database")


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
    return await in_database_thread(find, *args, **kwargs)


async def in_database_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work`, which waits for a database, returns. As `asyncio.to_thread`. Raises: what it raises."""
    in_context = partial(copy_context().run, work, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_threads, in_context)
