"""Words of recordings that somebody listens to, a few seconds after they were spoken: who wants and who hears them.

They are in memory only, and no part of the transcript. Those who want them and those who hear them are in one process;
where they are not, listeners have the words of whole parts, later.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from adapters.speech.transcript import TranscriptWord

_MOST_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class HeardWindow:
    """The words of some seconds of a recording. `start`, `end`: seconds from its start, as the words' are.

    `replacements`: how many of its chunks had been replaced. `language`: that they were heard in, as a tag.
    """

    start: float
    end: float
    words: tuple[TranscriptWord, ...]
    replacements: int
    language: str


class LiveSpeech:
    """What one who listens has not taken yet, in order. `interim`: what follows, and is not cut off by a pause yet."""

    def __init__(self) -> None:
        self.windows: deque[HeardWindow] = deque(maxlen=_MOST_KEPT)
        self.interim: HeardWindow | None = None


class LiveWords:
    """Used from one event loop. `wake`: tells those who wait for news of a recording that there is some."""

    def __init__(self, wake: Callable[[UUID], None]) -> None:
        self._wake = wake
        self._wanted: defaultdict[UUID, list[LiveSpeech]] = defaultdict(list)
        self.when_wanted: Callable[[UUID], None] | None = None

    @contextmanager
    def listened_to(self, recording_id: UUID) -> Iterator[LiveSpeech]:
        """While this lasts, what is said in the recording is heard at once, if it arrives and can be heard so."""
        speech = LiveSpeech()
        self._wanted[recording_id].append(speech)
        try:
            if self.when_wanted is not None:
                self.when_wanted(recording_id)
            yield speech
        finally:
            self._wanted[recording_id].remove(speech)
            if not self._wanted[recording_id]:
                del self._wanted[recording_id]

    def is_wanted(self, recording_id: UUID) -> bool:
        return recording_id in self._wanted

    def heard(self, recording_id: UUID, window: HeardWindow, *, is_cut: bool) -> None:
        """`is_cut`: the window is whole, else more is said in it.

        Once an earlier one comes than was taken, all from there on come again, for one who has come to listen.
        """
        for speech in self._wanted.get(recording_id, ()):
            speech.interim = None if is_cut else window
            while is_cut and speech.windows and speech.windows[-1].start >= window.start:
                speech.windows.pop()
            if is_cut:
                speech.windows.append(window)
        self._wake(recording_id)
