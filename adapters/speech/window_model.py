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


SHORT_SECONDS = 15
"""Half of what Whisper was trained with takes half as long, and finds the same words; less finds fewer."""

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
    """Like the library's own, which would go on and encode half a minute for each second that is left over."""

    _encoded = 0
    _most_frames: int | None = None
    _last: tuple[Any, Any] | None = None

    def recognize(self, sound: Sound, *, is_short: bool = False, **options: Any) -> RecognizedWindow:
        """What is said in at most 30 seconds of sound. `options`: those of `transcribe`.

        `is_short`: the sound is at most `SHORT_SECONDS` long, and only so much is encoded.
        """
        self._encoded = 0
        self._most_frames = SHORT_SECONDS * _FRAMES_PER_SECOND if is_short else None
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
