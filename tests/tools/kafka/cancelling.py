"""Cancels a task at a moment that the test chooses: at the n-th step of the task, or of a task that it started."""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any


class _Stepped(Coroutine[Any, Any, Any]):
    """The coroutine, with `taken` called before each of its steps."""

    def __init__(self, coroutine: Any, taken: Callable[[], None]) -> None:
        self._coroutine = coroutine
        self._taken = taken

    def send(self, value: Any) -> Any:
        self._taken()
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        self._taken()
        return self._coroutine.throw(*error)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Any:
        raise TypeError("a task steps through it")


async def cancelled_at(coroutine: Coroutine[Any, Any, Any], step: int) -> tuple[asyncio.Task[Any], bool]:
    """The ended task of `coroutine`, and whether it was cancelled at that step; if not, it ended before."""
    numbers, cancelled = count(1), False

    def taken() -> None:
        nonlocal cancelled
        if next(numbers) == step:
            cancelled = running.cancel()

    def stepped_task(loop: asyncio.AbstractEventLoop, its: Any, **options: Any) -> asyncio.Task[Any]:
        return asyncio.Task(_Stepped(its, taken), loop=loop, **options)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(stepped_task)
    try:
        running = asyncio.create_task(coroutine)
        await asyncio.wait([running])
    finally:
        loop.set_task_factory(None)
    return running, cancelled
