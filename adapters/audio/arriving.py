"""Decodes a file that is still arriving: the same sound as that of the whole file, as far as it has come.

It is for files that can be read from their start on, with one sound track. Of others, no sound comes; and where the
whole is read differently, as of a chain of files, what came here is not the whole's sound: whoever uses it compares.
"""

import io
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Condition

from adapters.audio.container import Container, container_by_header
from adapters.audio.decoding import SAMPLE_RATE, Samples, even_blocks, spread_all, track_blocks
from adapters.audio.demuxing import arriving_track
from adapters.audio.mixing import mixed
from adapters.audio.survey import HeardTrack, Sound, complaints
from adapters.audio.wav import read_wave

_HEAD_BYTES = (1 << 12, 1 << 16)
"""So many bytes, or all if there are fewer, tell what file it is. Most headers are short; tags may stand before one."""

_MOST_BEFORE_SOUND = 1 << 20
"""Bytes. What has its first sound later, behind tags, pictures or a long index, is heard once it is there as a whole:
then tags are left out of it. FFmpeg compares each with all before it, a minute long for a few megabytes of them, and
for one megabyte in a WAV, where they are smallest: there the sound must begin within the head."""

_BLOCK_SAMPLES = SAMPLE_RATE // 10
"""Who listens along waits for a block to be full. Several channels are mixed in longer ones, as when they are read as
a whole: rounding might differ."""


class ArrivingBytes:
    """What has come of a file: written by one thread, and read by another, which waits for more."""

    def __init__(self) -> None:
        self._blocks: deque[bytes] = deque()
        self._changed = Condition()
        self._has_ended = False
        self._is_waited_for = False

    def write(self, block: bytes) -> None:
        with self._changed:
            self._blocks.append(block)
            self._is_waited_for = False
            self._changed.notify_all()

    def end(self) -> None:
        """No more comes, or none is wanted."""
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def wait_until_read(self) -> None:
        """Until the reader waits for more, or nobody reads any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_ended or self._is_waited_for)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, as soon as there are any; none at the end."""
        with self._changed:
            if not self._blocks:
                self._is_waited_for = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._blocks or self._has_ended)
            if not self._blocks:
                return b""
            block = self._blocks.popleft()
            if 0 <= size < len(block):
                self._blocks.appendleft(block[size:])
            return block if size < 0 else block[:size]


@dataclass(frozen=True, slots=True)
class FoundWhole:
    """A file that was read to its end without damage, gaps or complaint. `channels`: those that its header tells."""

    container: Container
    channels: int
    sound: Sound


def arriving_sound(
    arriving: ArrivingBytes, *, on_whole: Callable[[FoundWhole], None] = lambda _: None
) -> Iterator[Samples]:
    """The sound, 16 kHz, mixed to mono blocks, each as soon as its bytes are there; none of a file of no such form.

    `on_whole` is told what the file was found to be, at the end of its sound. Raises: AudioError.
    """
    head, container = _head(arriving)
    if container is None:
        return
    behind = _Behind(head, arriving, most=None if container is Container.WAV else _MOST_BEFORE_SOUND)
    with complaints() as count, arriving_track(behind, container) as track:
        if track is None or behind.has_ended_early:
            return
        behind.most = None
        channels = track.stream.channels
        heard = HeardTrack(track, track.stream.index, is_exact=container is Container.FLAC, most=None)
        blocks = track_blocks(heard.parts(), rate=SAMPLE_RATE, sample_format="s16")
        length = _BLOCK_SAMPLES if channels == 1 else SAMPLE_RATE
        yield from mixed(even_blocks(spread_all(blocks, channels), length))
        sound = heard.sound()
        if sound.is_whole and not sound.has_gaps and sound.seconds and not heard.damage() and count() == 0:
            on_whole(FoundWhole(container, channels, sound))


def _head(arriving: ArrivingBytes) -> tuple[bytes, Container | None]:
    """What was read, and what file it begins; None if none can be told, or no sound can be near."""
    head = b""
    for size in _HEAD_BYTES:
        while len(head) < size and (block := arriving.read(size - len(head))):
            head += block
        container = container_by_header(io.BytesIO(head), len(head))
        if container is Container.WAV and read_wave(io.BytesIO(head), len(head), header_only=True) is None:
            container = None
        if container is not None:
            return head, container
    return head, None


class _Behind:
    """A head that was read already, and what comes behind it. It cannot seek, and says so by having no such method.

    `most`: bytes after which it ends; None for no limit.
    """

    def __init__(self, head: bytes, rest: ArrivingBytes, *, most: int | None) -> None:
        self._head = io.BytesIO(head)
        self._rest = rest
        self._given = 0
        self.most = most

    @property
    def has_ended_early(self) -> bool:
        return self.most is not None and self._given >= self.most

    def read(self, size: int) -> bytes:
        if self.has_ended_early:
            return b""
        block = self._head.read(size) or self._rest.read(size)
        self._given += len(block)
        return block
