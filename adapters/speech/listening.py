"""Listens to a recording while it arrives: says which parts of its sound are whole, each as soon as it is."""

import hashlib
from collections import deque
from collections.abc import Iterator
from threading import Thread

from adapters.audio.arriving import ArrivingBytes, FoundWhole, arriving_sound
from adapters.audio.as_it_came import CameWhole
from adapters.audio.decoding import Samples
from adapters.audio.errors import AudioError
from adapters.speech.cutting import Span
from adapters.speech.parts import parts_of


class Listening:
    """To one file. What is decoded is in memory until it is taken; damage, or a form that cannot be read so, ends it.

    Used from one thread; another one, which ends with the process, decodes.
    """

    def __init__(self) -> None:
        self._arriving = ArrivingBytes()
        self._parts: deque[Span] = deque()
        self._is_over = False
        self._last: list[Span] = []
        self._whole: FoundWhole | None = None
        self._digest = hashlib.sha256()
        self._thread = Thread(target=self._listen, name="listening", daemon=True)
        self._thread.start()

    def hear(self, block: bytes) -> list[Span]:
        """Take the file's next bytes, and wait until all are decoded. Returns the parts that have become whole."""
        if not block:
            return []
        self._digest.update(block)
        self._arriving.write(block)
        self._arriving.wait_until_read()
        parts = list(self._parts)
        self._parts.clear()
        return parts

    @property
    def has_ended(self) -> bool:
        """Whether nothing comes of it any more."""
        return not self._thread.is_alive()

    def finish(self) -> tuple[CameWhole, list[Span]] | None:
        """No more comes: what the whole file is, and the parts that have become whole with that.

        None unless all of it is sound that is decoded as when it is read anew.
        """
        self.end()
        found = self._whole
        if found is None:
            return None
        sha256 = self._digest.hexdigest()
        came = CameWhole(sha256=sha256, container=found.container, channels=found.channels, sound=found.sound)
        return came, [*self._parts, *self._last]

    def end(self) -> None:
        self._arriving.end()
        self._thread.join()

    def _listen(self) -> None:
        try:
            for part in parts_of(self._sound()):
                if self._is_over:  # then it is not whole yet, or else the last: it only ends where the sound did
                    self._last.append(part)
                else:
                    self._parts.append(part)
        except AudioError:
            return
        finally:
            self._arriving.end()

    def _sound(self) -> Iterator[Samples]:
        yield from arriving_sound(self._arriving, on_whole=self._found_whole)
        self._is_over = True

    def _found_whole(self, found: FoundWhole) -> None:
        self._whole = found
