"""Listens to a recording while it arrives: says which parts of its sound are whole, each as soon as it is, and cuts
small windows for who listens along."""

from collections import deque
from collections.abc import Iterator
from threading import Thread

from adapters.audio.arriving import ArrivingBytes, arriving_sound
from adapters.audio.decoding import Samples
from adapters.audio.errors import AudioError
from adapters.speech.cutting import Span
from adapters.speech.parts import parts_of
from adapters.speech.windows import Windows


class Listening:
    """To one file. What is decoded is in memory until it is taken; damage, or a form that cannot be read so, ends it.

    Used from one thread; another one, which ends with the process, decodes. `windows`: from the one that holds the
    end of the last whole part on. They are to be read between two calls.
    """

    def __init__(self) -> None:
        self.windows = Windows()
        self._arriving = ArrivingBytes()
        self._parts: deque[Span] = deque()
        self._is_over = False
        self._thread = Thread(target=self._listen, name="listening", daemon=True)
        self._thread.start()

    def hear(self, block: bytes) -> list[Span]:
        """Take the file's next bytes, and wait until all are decoded. Returns the parts that have become whole."""
        if not block:
            return []
        self._arriving.write(block)
        self._arriving.wait_until_read()
        parts = list(self._parts)
        self._parts.clear()
        return parts

    @property
    def has_ended(self) -> bool:
        """Whether nothing comes of it any more."""
        return not self._thread.is_alive()

    def end(self) -> None:
        self._arriving.end()
        self._thread.join()

    def _listen(self) -> None:
        try:
            for part in parts_of(self._sound()):
                if not self._is_over:  # else it is not whole: it only ends where the sound did
                    self._parts.append(part)
                    self.windows.forget(part.start_sample + len(part.samples))
        except AudioError:
            return
        finally:
            self._arriving.end()

    def _sound(self) -> Iterator[Samples]:
        for block in arriving_sound(self._arriving):
            self.windows.add(block)
            yield block
        self._is_over = True
