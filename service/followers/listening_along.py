"""Has the words of a recording that still arrives heard at once, while somebody listens to it.

Nobody listening, nothing is done. Windows of a few seconds are heard one after another, and those that wait together in
one go, while no stage needs the place; what is not cut yet, only while there is a place that nobody wants. So no
transcript waits for them. A window whose worker was killed is heard once more. Whatever else breaks ends it: whole
parts and the transcript have the words.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import numpy as np

from adapters.audio.decoding import SAMPLE_RATE
from adapters.speech.cutting import Span
from adapters.worker_processes import WorkerDied
from domain.recording import Recording
from service.application.live_words import HeardWindow, LiveWords
from service.application.part_orders import WindowOrder, hear_window
from service.application.project_turns import Urgency
from service.application.stage_parts import StageParts

logger = logging.getLogger(__name__)

_HEAR_LIMIT = timedelta(minutes=10)
_AT_ONCE_SAMPLES = 28 * SAMPLE_RATE
_MOST_WAITING_SAMPLES = 120 * SAMPLE_RATE
"""When workers are so far behind, the oldest windows are left out: whole parts have their words."""

_INTERIM_SAMPLES = 2 * SAMPLE_RATE
"""What is not cut yet is heard again whenever it has grown by so much."""

_MOST_INTERIM_SAMPLES = 5 * SAMPLE_RATE
"""What is longer is cut soon, and heard then: that shall not wait."""


class ListeningAlong:
    """To one recording. Used from one event loop."""

    def __init__(self, recording_id: UUID, parts: StageParts, live: LiveWords) -> None:
        self._id = recording_id
        self._parts = parts
        self._live = live
        self._since: int | None = None
        self._waiting: deque[Span] = deque()
        self._tail: Span | None = None
        self._interim_end = 0
        self._has_left = self._has_lost = self._begins_anew = False
        self._task: asyncio.Task[None] | None = None
        self._is_in_worker = False

    @property
    def is_wanted(self) -> bool:
        return not self._has_left and self._live.is_wanted(self._id)

    @property
    def is_due(self) -> bool:
        """Whether somebody has begun to listen, and nothing was cut for them yet."""
        return self.is_wanted and (self._since is None or self._begins_anew)

    def begin_anew(self) -> None:
        """Somebody listens from now on, and has heard nothing yet of what no whole part has."""
        self._begins_anew = True

    def windows_since(self) -> int | None:
        """From where on windows are wanted now; None: nobody listens."""
        if not self.is_wanted:
            self._since, self._tail = None, None
            self._waiting.clear()
            return None
        if self._begins_anew:
            self._since, self._interim_end, self._begins_anew = None, 0, False
        return self._since or 0

    def take(self, windows: Sequence[Span], recording: Recording) -> None:
        """What was cut since; the last window, which may be empty, is not cut yet."""
        if not windows or not self.is_wanted:
            return
        *cut, self._tail = windows
        self._since = self._tail.start_sample
        while self._waiting and self._waiting[-1].start_sample >= windows[0].start_sample:
            self._waiting.pop()  # it was cut for others, and is here again
        self._waiting.extend(cut)
        while sum(len(window.samples) for window in self._waiting) > _MOST_WAITING_SAMPLES:
            self._waiting.popleft()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._hear_all(recording), name="listening along")

    def leave(self) -> None:
        """Begin to hear no further window. One that a worker hears is heard to its end: to stop that would end the
        worker, and with it a model that is loaded."""
        self._has_left = True
        self._waiting.clear()
        self._tail = None
        if self._task is not None and not self._is_in_worker:
            self._task.cancel()

    async def over(self) -> None:
        """Return when nothing is being heard any more."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def stop(self) -> None:
        """At once, whatever that ends."""
        self._has_left = True
        if self._task is not None:
            self._task.cancel()

    async def _hear_all(self, recording: Recording) -> None:
        while (found := self._next()) is not None:
            window, is_cut = found
            try:
                await self._hear_one(window, recording, is_cut=is_cut)
                self._has_lost = False
            except Exception as error:  # noqa: BLE001 - whole parts have the words, whatever broke here
                if isinstance(error, WorkerDied) and not self._has_lost:
                    self._has_lost = True
                    self._waiting.extendleft([window] if is_cut else [])
                else:
                    self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        about = {"recording_id": self._id.hex, "because": f"{type(error).__name__}: {error}"}
        logger.info("who listens hears no more until parts are whole", extra=about)
        self._has_left = True

    def _next(self) -> tuple[Span, bool] | None:
        """What is to be heard, and whether it is cut; None if there is nothing, or nobody listens."""
        if not self.is_wanted:
            return None
        if self._waiting:
            return self._next_windows(), True
        if self._tail is not None and self._parts.turns.is_free and self._is_interim(self._tail):
            return self._tail, False
        return None

    def _next_windows(self) -> Span:
        """Those that wait and follow one another, as many as can be heard in one go."""
        first = self._waiting.popleft()
        found, end = [first.samples], first.start_sample + len(first.samples)
        while self._waiting and self._waiting[0].start_sample == end:
            if end + len(self._waiting[0].samples) - first.start_sample > _AT_ONCE_SAMPLES:
                break
            found.append(self._waiting.popleft().samples)
            end += len(found[-1])
        return Span(first.start_sample, np.concatenate(found))

    def _is_interim(self, tail: Span) -> bool:
        end = tail.start_sample + len(tail.samples)
        has_grown = end - max(self._interim_end, tail.start_sample) >= _INTERIM_SAMPLES
        is_wanted = has_grown and len(tail.samples) <= _MOST_INTERIM_SAMPLES
        self._interim_end = end if is_wanted else self._interim_end
        return is_wanted

    async def _hear_one(self, window: Span, recording: Recording, *, is_cut: bool) -> None:
        parts = self._parts
        language = recording.language_wanted or parts.language
        order = WindowOrder(parts.engine, language, window)
        async with parts.turns.turn(recording.opened.tenant_id, Urgency.ALONG) as turn:
            if not self.is_wanted:
                return
            self._is_in_worker = True
            try:
                words = await parts.workers.run(hear_window, order, timeout=_HEAR_LIMIT, on_start=turn.is_used_by)
            finally:
                self._is_in_worker = False
        heard = HeardWindow(window.start_seconds, window.end_seconds, words, recording.replacements, language)
        self._live.heard(self._id, heard, is_cut=is_cut)
