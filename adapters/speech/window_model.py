"""faster-whisper's model, one window at a time: the half minute that Whisper processes in one go, and no more."""

from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.transcribe import tqdm

from adapters.speech.voice_activity import Sound

tqdm.set_lock(RLock())
"""Otherwise the library's progress bar, shown or not, makes a semaphore of the system. A worker that is killed leaves
it behind, and Python writes a warning among the service's log lines."""


class _WindowIsOver(Exception):
    pass


@dataclass(frozen=True, slots=True)
class RecognizedWindow:
    """`segments`: faster-whisper's. `is_finished`: whether Whisper got to the end of the sound; if it began a sentence
    and did not end it, the rest must be decoded again from the last word on."""

    segments: list[Any]
    is_finished: bool


class WindowModel(WhisperModel):  # type: ignore[misc]  # the library has no types
    """Like the library's own, which would go on and encode half a minute for each second that is left over."""

    _encoded = 0
    _last: tuple[Any, Any] | None = None

    def recognize(self, sound: Sound, **options: Any) -> RecognizedWindow:
        """What is said in at most 30 seconds of sound. `options`: those of `transcribe`."""
        self._encoded = 0
        found, _ = self.transcribe(sound, **options)
        segments: list[Any] = []
        try:
            for segment in found:
                segments.append(segment)  # noqa: PERF402 - those before the window's end are kept
        except _WindowIsOver:
            return RecognizedWindow(segments, is_finished=False)
        return RecognizedWindow(segments, is_finished=True)

    def encode(self, features: Any) -> Any:
        """Called by the library once per window. The same sound with other options is not encoded again."""
        self._encoded += 1
        if self._encoded > 1:
            raise _WindowIsOver
        if self._last is None or not np.array_equal(self._last[0], features):
            self._last = (features, super().encode(features))
        return self._last[1]
