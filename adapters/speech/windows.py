"""Cuts sound into windows of a few seconds, at pauses, for who wants to know at once what is said.

Windows are cut by the samples alone, and only by those up to their end: whoever cuts the same sound from its start gets
the same windows, whatever the blocks it comes in. So they are the same after a restart.
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
        self._open: Samples = np.zeros(0, np.int16)
        self._open_start = 0
        self._looked_at = 0

    def add(self, block: Samples) -> None:
        """The sound that comes next, 16 kHz mono."""
        self._open = np.concatenate([self._open, block])
        while (end := self._end()) is not None:
            self._cut.append(Span(self._open_start, self._open[:end].copy()))
            self._open, self._open_start, self._looked_at = self._open[end:].copy(), self._open_start + end, 0

    def forget(self, until_sample: int) -> None:
        """Windows that end by then are not asked for any more."""
        while self._cut and self._cut[0].start_sample + len(self._cut[0].samples) <= until_sample:
            self._cut.popleft()

    def since(self, sample: int) -> list[Span]:
        """Those that begin there or later."""
        return [window for window in self._cut if window.start_sample >= sample]

    @property
    def tail(self) -> Span:
        """What is not cut yet; perhaps nothing."""
        return Span(self._open_start, self._open)

    def _end(self) -> int | None:
        """Where the open window ends, if that is known: in the first pause after `_LEAST_FRAMES`."""
        frames = min(len(self._open), _LONGEST_SAMPLES) // _FRAME_SAMPLES
        first = max(_LEAST_FRAMES, self._looked_at + _LOOK_FRAMES)
        if frames >= first:
            framed = self._open[: frames * _FRAME_SAMPLES].astype(np.float64).reshape(frames, _FRAME_SAMPLES)
            levels = np.sqrt(np.square(framed).mean(axis=1))
            for after in range(first, frames + 1, _LOOK_FRAMES):
                self._looked_at = after
                quiet = max(_SILENCE, _QUIET_SHARE * float(np.percentile(levels[:after], _LOUD_PERCENTILE)))
                if levels[after - _PAUSE_FRAMES : after].max() < quiet:
                    return (after - _PAUSE_FRAMES // 2) * _FRAME_SAMPLES
        return quietest_point(self._open[:_LONGEST_SAMPLES]) if len(self._open) >= _LONGEST_SAMPLES else None
