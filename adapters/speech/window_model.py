"""faster-whisper's model, one window at a time: the half minute that Whisper processes in one go, and no more."""

import math
from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.transcribe import tqdm

from adapters.audio.decoding import SAMPLE_RATE
from adapters.speech.voice_activity import Sound

tqdm.set_lock(RLock())
"""Otherwise the library's progress bar, shown or not, makes a semaphore of the system. A worker that is killed leaves
it behind, and Python writes a warning among the service's log lines."""


_LEAST_SECONDS = 15
"""So much is encoded at least. Whisper was trained with half a minute; half of that takes half as long, and finds the
same words. Less finds fewer."""

_SILENCE_SECONDS = 1
"""Is encoded behind the sound, by which Whisper knows its end."""

_FRAMES_PER_SECOND = 100


class _WindowIsOver(Exception):
    pass


@dataclass(frozen=True, slots=True)
class RecognizedWindow:
    """`segments`: faster-whisper's. `is_finished`: whether Whisper got to the end of the sound; if it began a sentence
    and did not end it, the rest must be decoded again from the last word on."""

    segments: list[Any]
    is_finished: bool


class WindowModel(WhisperModel):  # type: ignore[misc]  # the library has no types
    """Like the library's own, which would encode half a minute for any sound, and for each second that is left over."""

    _encoded = 0
    _most_frames: int | None = None
    _last: tuple[Any, Any] | None = None

    def recognize(self, sound: Sound, **options: Any) -> RecognizedWindow:
        """What is said in at most 30 seconds of sound. `options`: those of `transcribe`."""
        seconds = max(_LEAST_SECONDS, math.ceil(len(sound) / SAMPLE_RATE) + _SILENCE_SECONDS)
        self._encoded = 0
        self._most_frames = seconds * _FRAMES_PER_SECOND
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
        features = features[..., : self._most_frames]
        if self._last is None or not np.array_equal(self._last[0], features):
            self._last = (features, super().encode(np.ascontiguousarray(features)))
        return self._last[1]
