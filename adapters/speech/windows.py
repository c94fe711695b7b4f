"""Cuts sound into windows of a few seconds, at pauses, for who wants to know at once what is said.

Sound is only kept until somebody wants windows. They begin where the last whole part ends, or later, and are cut by the
samples alone, whatever the blocks these come in.
"""

from collections import deque

import numpy as np

from adapters.audio.decoding import SAMPLE_RATE, Samples
from adapters.speech.cutting import Span, quietest_point

LONGEST_SECONDS = 8
"""Speech without pauses is cut after so long, where it is quietest in the last 40 %."""

_FRAME_SAMPLES = SAMPLE_RATE // 50
_LEAST_FRAMES = 200
"""Words of less than four seconds by themselves are recognized worse."""
_LONGEST_SAMPLES = LONGEST_SECONDS * SAMPLE_RATE
_PAUSE_FRAMES = 15
_LOOK_FRAMES = 5
_LOUD_PERCENTILE = 95
_QUIET_SHARE = 0.1
_SILENCE = 10.0
"""Of a full scale of 32768: what is softer is a pause, however soft the rest is."""


class Windows:
    """Those of one recording, as its sound comes. What is forgotten takes no memory."""

    def __init__(self) -> None:
        self._cut: deque[Span] = deque()
        self._open: list[Samples] = []
        self._open_start = 0
        self._looked_at = 0

    def add(self, block: Samples) -> None:
        """The sound that comes next, 16 kHz mono."""
        self._open.append(block)

    def forget(self, until_sample: int) -> None:
        """Windows that end by then are not asked for any more, nor is sound up to there that nobody has asked for."""
        while self._cut and self._cut[0].start_sample + len(self._cut[0].samples) <= until_sample:
            self._cut.popleft()
        if until_sample - self._open_start > _LONGEST_SAMPLES:
            self._go_on_from(until_sample, self._joined())

    def since(self, sample: int) -> list[Span]:
        """Those that begin there or later. The last, which may be empty, is what is not cut yet."""
        joined = self._joined()
        while (end := self._end(joined)) is not None:
            self._cut.append(Span(self._open_start, joined[:end].copy()))
            joined = self._go_on_from(self._open_start + end, joined)
        return [*(each for each in self._cut if each.start_sample >= sample), Span(self._open_start, joined)]

    def _joined(self) -> Samples:
        joined = np.concatenate(self._open) if self._open else np.zeros(0, np.int16)
        self._open = [joined]
        return joined

    def _go_on_from(self, sample: int, joined: Samples) -> Samples:
        rest = joined[sample - self._open_start :].copy()
        self._open, self._open_start, self._looked_at = [rest], sample, 0
        return rest

    def _end(self, sound: Samples) -> int | None:
        """Where the open window ends, if that is known: in the first pause after `_LEAST_FRAMES`."""
        frames = min(len(sound), _LONGEST_SAMPLES) // _FRAME_SAMPLES
        first = max(_LEAST_FRAMES, self._looked_at + _LOOK_FRAMES)
        if frames >= first:
            framed = sound[: frames * _FRAME_SAMPLES].astype(np.float64).reshape(frames, _FRAME_SAMPLES)
            levels = np.sqrt(np.square(framed).mean(axis=1))
            for after in range(first, frames + 1, _LOOK_FRAMES):
                self._looked_at = after
                quiet = max(_SILENCE, _QUIET_SHARE * float(np.percentile(levels[:after], _LOUD_PERCENTILE)))
                if levels[after - _PAUSE_FRAMES : after].max() < quiet:
                    return (after - _PAUSE_FRAMES // 2) * _FRAME_SAMPLES
        return quietest_point(sound[:_LONGEST_SAMPLES]) if len(sound) >= _LONGEST_SAMPLES else None
