"""Cuts sound into windows of a few seconds, at pauses, for who wants to know at once what is said.

They begin where the last whole part ended when somebody came to want them, and are cut by the samples alone, whatever
the blocks these come in.
"""

from collections import deque

import numpy as np

from adapters.audio.decoding import SAMPLE_RATE, Samples
from adapters.speech.cutting import Span, quietest_point

LONGEST_SECONDS = 8
"""Speech without pauses is cut after so long, where it is quietest in the last 40 %."""

_FRAME_SAMPLES = SAMPLE_RATE // 50
_LEAST_FRAMES = 150
"""Of 277 words of people, 12 % are wrong in windows of at least three seconds, as in the whole. Shorter ones have more
wrong ones and cost more; longer ones wait longer."""
_LONGEST_SAMPLES = LONGEST_SECONDS * SAMPLE_RATE
_PAUSE_FRAMES = 15
_LOOK_FRAMES = 5
_LOUD_PERCENTILE = 95
_QUIET_SHARE = 0.1
_SILENCE = 10.0
"""Of a full scale of 32768: what is softer is a pause, however soft the rest is."""


_MOST_SAMPLES = 120 * SAMPLE_RATE
"""No more sound is kept."""


class Windows:
    """Those of one recording, as its sound comes. Until they are wanted, sound is kept, and nothing is cut."""

    def __init__(self) -> None:
        self._wanted_from: int | None = None
        self._cut: deque[Span] = deque()
        self._open: list[Samples] = []
        self._open_start = self._open_samples = 0
        self._looked_at = 0

    def add(self, block: Samples) -> None:
        """The sound that comes next, 16 kHz mono."""
        self._open.append(block)
        self._open_samples += len(block)
        if self._open_samples > 2 * _MOST_SAMPLES:
            self._go_on_from(self._open_start + self._open_samples - _MOST_SAMPLES, self._joined())

    def want(self, sample: int | None) -> None:
        """From now on, windows are wanted that begin there or later; None: nobody wants any."""
        self._wanted_from = sample

    def forget(self, until_sample: int) -> None:
        """The sound up to there is a whole part's. What was taken of it, and what nobody wants, need not be kept."""
        first_wanted = until_sample if self._wanted_from is None else self._wanted_from
        while self._cut and _end_of(self._cut[0]) <= until_sample and self._cut[0].start_sample < first_wanted:
            self._cut.popleft()
        if self._wanted_from is None and until_sample > self._open_start:
            self._go_on_from(until_sample, self._joined())

    def wanted(self) -> list[Span]:
        """Those that are wanted. The last, which may be empty, is what is not cut yet."""
        if self._wanted_from is None:
            return []
        joined = self._joined()
        while (end := self._end(joined)) is not None:
            self._cut.append(Span(self._open_start, joined[:end].copy()))
            joined = self._go_on_from(self._open_start + end, joined)
        found = [each for each in self._cut if each.start_sample >= self._wanted_from]
        return [*found, Span(self._open_start, joined)]

    def _joined(self) -> Samples:
        joined = np.concatenate(self._open) if self._open else np.zeros(0, np.int16)
        self._open = [joined]
        return joined

    def _go_on_from(self, sample: int, joined: Samples) -> Samples:
        rest = joined[sample - self._open_start :].copy()
        self._open, self._open_start, self._open_samples, self._looked_at = [rest], sample, len(rest), 0
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


def _end_of(span: Span) -> int:
    return span.start_sample + len(span.samples)
