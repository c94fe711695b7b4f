"""A sound track on its file's clock: where sound follows sound, and where the clock says that there is silence between.

Recorders that send nothing while nobody speaks (DTX, a muted microphone) let the clock jump. The jump is part of the
recording: without it, all that follows would be too early.
"""

from dataclasses import dataclass

FLICKS = 705_600_000
"""Times here are whole numbers of this many to a second: a sample at any usual rate lasts a whole number of them."""

_SMALLEST_GAP = FLICKS * 40 // 1000
"""Live recorders note times with some jitter. Less than this is no gap; a later one makes up for it."""

_SURE_GAP = FLICKS * 60
_LONGEST_GAP = FLICKS * 2 * 3600
_LONGEST_LATE_START = FLICKS * 10 * 60
_MOST_SILENCE = FLICKS * 4 * 3600
"""A longer gap is more likely a damaged time than a silence, and would make a small file a huge one."""

_NEW_CLOCK = FLICKS
"""A clock that falls back by more than this has begun anew."""

_SLIP = 2 * FLICKS
"""If it returns within so much sound, it had only slipped, as behind damage."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a piece of sound begins on its file's clock, and how long it lasts, in flicks.

    `start` is None where the file does not say: then it follows what came before.
    """

    start: int | None
    length: int


class Clock:
    """Turns moments, in order, into the silence to be heard before each."""

    def __init__(self) -> None:
        self._offset = 0
        self._offset_before = 0
        self._fell_back_at: int | None = None
        self._silence = 0
        self.position = 0
        """Flicks heard so far, silence included."""

    def silence_before(self, moment: Moment, following: Moment | None) -> int:
        """Flicks of silence to be heard before this moment, which counts as heard from then on.

        `following`: the next moment, if there is one. After a long jump, only a clock that goes on is believed.
        """
        silence = 0
        if moment.start is not None:
            jump = moment.start + self._offset - self.position
            if jump > _SMALLEST_GAP and self._has_returned(moment.start):
                self._offset, self._fell_back_at = self._offset_before, None
                jump = moment.start + self._offset - self.position
            if jump > _SMALLEST_GAP:
                silence = jump if self._is_believed(jump, moment, following) else 0
                self._offset -= jump - silence
            elif jump < -_NEW_CLOCK:
                self._offset_before, self._fell_back_at = self._offset, self.position
                self._offset -= jump
        self._silence += silence
        self.position += silence + moment.length
        return silence

    def _has_returned(self, start: int) -> bool:
        """Whether a clock that had fallen back goes on as if it had not."""
        if self._fell_back_at is None or self.position - self._fell_back_at > _SLIP:
            return False
        return start + self._offset_before >= self.position - _SMALLEST_GAP

    def _is_believed(self, jump: int, moment: Moment, following: Moment | None) -> bool:
        longest = _LONGEST_GAP if self.position else _LONGEST_LATE_START
        if jump > longest or self._silence + jump > _MOST_SILENCE:
            return False
        if jump <= _SURE_GAP:
            return True
        return following is not None and following.start is not None and following.start >= (moment.start or 0)
