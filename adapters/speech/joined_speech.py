"""Speech from several places in a recording, joined for a recognizer, and where each moment of it came from."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from adapters.audio.decoding import SAMPLE_RATE
from adapters.speech.cutting import quietest_point
from adapters.speech.voice_activity import Sound

_ROOM_WORTH_FILLING_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Interval:
    """Seconds from the recording's start."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Speech:
    """A stretch of speech, and the sample of the recording at which it begins."""

    start: int
    sound: Sound

    @property
    def interval(self) -> Interval:
        return Interval(self.start / SAMPLE_RATE, (self.start + len(self.sound)) / SAMPLE_RATE)

    def cut(self, samples: int) -> "tuple[Speech, Speech]":
        """The first `samples`, and the rest."""
        return Speech(self.start, self.sound[:samples]), Speech(self.start + samples, self.sound[samples:])


class JoinedSpeech:
    """Stretches of one recording, in order."""

    def __init__(self, stretches: Iterable[Speech] = ()) -> None:
        self.stretches = tuple(stretches)
        self._begins = list(accumulate((len(each.sound) for each in self.stretches), initial=0))

    @property
    def samples(self) -> int:
        return self._begins[-1]

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE

    @property
    def sound(self) -> Sound:
        return np.concatenate([each.sound for each in self.stretches])

    def followed_by(self, speech: Speech) -> "JoinedSpeech":
        return JoinedSpeech((*self.stretches, speech))

    def rest(self, seconds: float) -> "JoinedSpeech":
        """What comes after this many seconds."""
        sample = round(seconds * SAMPLE_RATE)
        ends = zip(self._begins, self._begins[1:], self.stretches, strict=False)
        return JoinedSpeech(each.cut(max(0, sample - begin))[1] for begin, end, each in ends if end > sample)

    def until(self, seconds: float) -> "JoinedSpeech":
        """What comes before this many seconds."""
        sample = round(seconds * SAMPLE_RATE)
        begins = zip(self._begins, self.stretches, strict=False)
        return JoinedSpeech(each.cut(sample - begin)[0] for begin, each in begins if begin < sample)

    def place(self, start: float, end: float) -> Interval:
        """Where in the recording the part from `start` to `end` of the joined sound is.

        It is in one stretch, the one that holds its middle: no word spans what was left out between two stretches.
        """
        middle = round((start + end) / 2 * SAMPLE_RATE)
        number = min(bisect_right(self._begins, middle), len(self.stretches)) - 1
        whole = self.stretches[number].interval
        later = whole.start - self._begins[number] / SAMPLE_RATE
        first = min(max(start + later, whole.start), whole.end)
        return Interval(first, min(max(end + later, first), whole.end))


def filled(joined: JoinedSpeech, speech: Speech, *, longest_samples: int) -> tuple[JoinedSpeech, Speech | None]:
    """`joined` with as much of `speech` as makes sense, and what is left for later, if anything.

    Speech that does not fit is left whole, unless that would waste much of the room or it can never fit: then it is cut
    where it is quietest.
    """
    room = longest_samples - joined.samples
    if len(speech.sound) <= room:
        return joined.followed_by(speech), None
    if joined.samples and room < _ROOM_WORTH_FILLING_SECONDS * SAMPLE_RATE:
        return joined, speech
    now, later = speech.cut(quietest_point(speech.sound[:room]))
    return joined.followed_by(now), later
