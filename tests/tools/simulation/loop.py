"""An asyncio event loop with virtual time, without threads, and with an order drawn from a seed.

By its context, every callback belongs to a simulated process or to none. Callbacks of a crashed process no longer run:
as after a power cut, none of its `finally` or `except` clauses do.
"""

import asyncio
import heapq
from asyncio import events
from collections import Counter, deque
from collections.abc import Callable
from contextvars import Context, ContextVar
from random import Random
from typing import Any, Protocol


class Owner(Protocol):
    """The owner of callbacks, which can be lost."""

    alive: bool

    def about_to_step(self) -> bool:
        """Whether the process survives to run its next callback."""
        ...


OWNER: ContextVar[Owner | None] = ContextVar("owner", default=None)
"""The simulated process that is running; None for the outside world."""

MOST_STEPS = 100_000

Latency = Callable[[str], tuple[float, float]]
"""Seconds until a thread of this name has done its work, and from then until the event loop has the result."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs until nothing is left; time jumps to the next timer.

    The callbacks that one callback schedules keep their order, as asyncio promises and itself relies on; between those
    of different callbacks, the seed decides.
    """

    def __init__(self, random: Random, latency: Latency) -> None:
        super().__init__()
        self._draw = random.random
        self._latency = latency
        self._now = 0.0
        self._streams: list[deque[events.Handle]] = []
        self._stream: deque[events.Handle] | None = None
        self._lost: list[events.Handle] = []
        self.steps = 0
        self.working: Counter[Owner | None] = Counter()
        """Each process's threads that have not finished: a process that ends cleanly waits for them."""

    def time(self) -> float:
        return self._now

    def _call_soon(self, callback: Any, args: Any, context: Context | None) -> events.Handle:
        handle = events.Handle(callback, args, self, context)
        if self._stream is None:
            self._streams.append(deque((handle,)))
        else:
            self._stream.append(handle)
        return handle

    call_soon_threadsafe = asyncio.BaseEventLoop.call_soon

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """A thread's work happens at one moment, some time after its start and some time before its result is known."""
        if executor is not None and executor._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future = self.create_future()
        until_done, until_known = self._latency(getattr(executor, "_thread_name_prefix", ""))
        owner = OWNER.get()
        self.working[owner] += 1

        def work() -> None:
            self.working[owner] -= 1
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - the future gets it
                self.call_later(until_known, _settle, future, future.set_exception, error)
            else:
                self.call_later(until_known, _settle, future, future.set_result, result)

        self.call_later(until_done, work)
        return future

    def _run_once(self) -> None:
        self._start_due_timers()
        handle = self._next_handle()
        if handle._cancelled:
            return
        owner = handle._context.get(OWNER)  # type: ignore[attr-defined]
        if owner is not None and not (owner.alive and owner.about_to_step()):
            self._lost.append(handle)
            return
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise RuntimeError("The simulation does not come to rest.")
        stream = self._stream = deque()
        handle._run()
        self._stream = None
        if stream:
            self._streams.append(stream)

    def _start_due_timers(self) -> None:
        timers = self._scheduled  # type: ignore[attr-defined]
        while timers and (timers[0]._cancelled or timers[0]._when <= self._now or not self._streams):
            timer = heapq.heappop(timers)
            timer._scheduled = False
            if not timer._cancelled:
                self._now = max(self._now, timer._when)
                self._streams.append(deque((timer,)))
        if not self._streams:
            raise RuntimeError("The simulation stands still: nothing is left to happen.")

    def _next_handle(self) -> events.Handle:
        streams = self._streams
        chosen = int(self._draw() * len(streams)) if len(streams) > 1 else 0
        stream = streams[chosen]
        handle = stream.popleft()
        if not stream:
            streams[chosen] = streams[-1]
            streams.pop()
        return handle

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        """A cancelled timer is skipped when its time comes."""

    def release_lost(self) -> None:
        """Let callbacks lost with crashed processes run, so that their tasks can be cancelled and dropped."""
        for handle in self._lost:
            self._streams.append(deque((handle,)))
        self._lost.clear()

    def _process_events(self, _: Any) -> None:
        """Do nothing: nothing here reads a file or a socket."""

    def _write_to_self(self) -> None:
        """Do nothing: everything is in one thread, so there is nobody to wake."""


def _settle(future: asyncio.Future[Any], settle: Callable[[Any], None], value: Any) -> None:
    if not future.done():
        settle(value)
