"""Decodes any audio as a player plays it: on its clock, with silence where the clock jumps, and every track.

Block by block: a recording's length does not affect memory.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from adapters.audio.chunk_bytes import ChunkRun, OpenChunk
from adapters.audio.clock import FLICKS, Clock, Moment
from adapters.audio.container import container_of
from adapters.audio.demuxing import Track, Undecoded, links_of, track_of, tracks_in
from adapters.audio.errors import NotAudio
from adapters.audio.mixing import mixed
from adapters.audio.whole_files import WholeFile

SAMPLE_RATE = 16_000

Samples = npt.NDArray[np.int16]
"""Mono, or (channels, samples)."""

Block = npt.NDArray[Any]
"""Samples as (channels, samples)."""

SampleFormat = Literal["s16", "s32"]

_TYPES: dict[SampleFormat, type[np.generic]] = {"s16": np.int16, "s32": np.int32}
_SILENCE_SAMPLES = 1 << 16
_GATHERED_SAMPLES = 1 << 14
"""A frame of sound is short: resampling each alone takes twice as long."""


_P = TypeVar("_P")


@dataclass(frozen=True, slots=True)
class Silence:
    """Silence that is part of the recording, in flicks."""

    length: int


def played(track: Track, *, on_undecoded: Callable[[Undecoded], None] | None = None) -> Iterator[AudioFrame | Silence]:
    """What is heard of a track, in order. What cannot be decoded is silence if its length is known, or left out."""
    clock = Clock()
    for (piece, moment), following in with_next(_moments(track)):
        if isinstance(piece, Undecoded) and on_undecoded is not None:
            on_undecoded(piece)
        silence = clock.silence_before(moment, following[1] if following else None)
        if isinstance(piece, Undecoded):
            silence += moment.length
        if silence:
            yield Silence(silence)
        if not isinstance(piece, Undecoded):
            yield piece


def _moments(track: Track) -> Iterator[tuple[AudioFrame | Undecoded, Moment]]:
    for piece, following in with_next(track.frames()):
        if isinstance(piece, Undecoded):
            # On a clock, the next frame's time shows how long it was.
            yield piece, Moment(None, 0) if track.origin is not None else piece.moment
        else:
            frame = track.last(piece) if following is None else piece
            yield frame, track.moment_of(frame)


def with_next(pieces: Iterator[_P]) -> Iterator[tuple[_P, _P | None]]:
    """Each piece, and the one after it."""
    held = next(pieces, None)
    while held is not None:
        following = next(pieces, None)
        yield held, following
        held = following


def track_blocks(parts: Iterable[AudioFrame | Silence], *, rate: int, sample_format: SampleFormat) -> Iterator[Block]:
    """A track's sound as blocks of any length; its number of channels may change from one to the next.

    The file's own form may change midway, as where a recorder switches its sample rate.
    """
    resampler = _Resampler(rate, sample_format)
    for part in parts:
        if isinstance(part, Silence):
            yield from resampler.silence(part.length)
        else:
            yield from resampler.sound(part)
    yield from resampler.rest()


class _Resampler:
    """Frames of any form in, blocks of one rate and format out; promises that no rounding adds up."""

    def __init__(self, rate: int, sample_format: SampleFormat) -> None:
        self._rate = rate
        self._format: SampleFormat = sample_format
        self._form: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None
        self._gathered = AudioFifo()
        self._channels = 1
        self._position = 0
        self._emitted = 0

    def sound(self, frame: AudioFrame) -> Iterator[Block]:
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._form:
            yield from self.rest()
            self._form, self._channels = form, frame.layout.nb_channels
        if self._resampler is None:
            self._resampler = AudioResampler(self._format, frame.layout, self._rate)
        self._position += frame.samples * FLICKS // frame.sample_rate
        frame.pts = None  # the clock has had its say, and a resampler would make its own silence of it
        self._gathered.write(frame)
        if self._gathered.samples >= _GATHERED_SAMPLES:
            yield from self._emit(self._resampler.resample(self._gathered.read()))

    def silence(self, length: int) -> Iterator[Block]:
        yield from self.rest()
        self._position += length
        left = round(self._position * self._rate / FLICKS) - self._emitted
        while left > 0:
            samples = min(left, _SILENCE_SAMPLES)
            self._emitted += samples
            left -= samples
            yield np.zeros((self._channels, samples), _TYPES[self._format])

    def rest(self) -> Iterator[Block]:
        """What the resampler still holds."""
        if self._resampler is not None:
            if self._gathered.samples:
                yield from self._emit(self._resampler.resample(self._gathered.read()))
            yield from self._emit(self._resampler.resample(None))
            self._resampler = None
            self._gathered = AudioFifo()

    def _emit(self, frames: list[AudioFrame]) -> Iterator[Block]:
        for frame in frames:
            self._emitted += frame.samples
            # Interleaved: PyAV crashes on eight planar channels from a resampler.
            yield frame.to_ndarray().reshape(-1, self._channels).T


def spread(block: Block, channels: int) -> Block:
    """The block with this many channels: mono sounds on each, and more channels than fit are mixed into the last."""
    have = block.shape[0]
    if have == channels:
        return block
    if have == 1:
        return np.repeat(block, channels, axis=0)
    if have < channels:
        return np.concatenate([block, np.zeros((channels - have, block.shape[1]), block.dtype)])
    kept, rest = block[: channels - 1], block[channels - 1 :]
    mixed = rest.mean(axis=0, dtype=np.float64).round().astype(block.dtype)
    return np.concatenate([kept, mixed[np.newaxis]])


def even_blocks(blocks: Iterable[Block], block_samples: int) -> Iterator[Block]:
    """The same sound in blocks of `block_samples`, the last one shorter. All must have the same number of channels."""
    held: list[Block] = []
    held_samples = 0
    for block in blocks:
        held.append(block)
        held_samples += block.shape[1]
        if held_samples >= block_samples:
            joined = np.concatenate(held, axis=1)
            whole = held_samples - held_samples % block_samples
            for start in range(0, whole, block_samples):
                yield joined[:, start : start + block_samples]
            held = [joined[:, whole:]]
            held_samples -= whole
    if held_samples:
        yield np.concatenate(held, axis=1)


def beside(tracks: list[Iterator[Block]], widths: list[int]) -> Iterator[Block]:
    """Tracks in even blocks, next to one another as channels, as long as the longest; `widths` are their channels."""
    for blocks in zip_longest(*tracks):
        length = max(block.shape[1] for block in blocks if block is not None)
        yield np.concatenate([_lasting(block, width, length) for block, width in zip(blocks, widths, strict=True)])


def _lasting(block: Block | None, channels: int, samples: int) -> Block:
    if block is None:
        return np.zeros((channels, samples), np.int16)
    return np.pad(block, ((0, 0), (0, samples - block.shape[1]))) if block.shape[1] < samples else block


def file_blocks(
    file: WholeFile, widths: dict[int, int], *, rate: int, sample_format: SampleFormat, block_samples: int
) -> Iterator[Block]:
    """All tracks of a file as the channels of one sound. `widths`: the channels of each track, by its stream's index.

    Raises: what `track_of` raises.
    """
    with ExitStack() as stack:
        tracks = []
        for index, channels in widths.items():
            track = stack.enter_context(track_of(file, index))
            blocks = track_blocks(played(track), rate=rate, sample_format=sample_format)
            tracks.append(even_blocks(spread_all(blocks, channels), block_samples))
        yield from beside(tracks, list(widths.values()))


def spread_all(blocks: Iterable[Block], channels: int) -> Iterator[Block]:
    return (spread(block, channels) for block in blocks)


def sound_blocks(
    open_audio: OpenChunk, *, rate: int = SAMPLE_RATE, block_samples: int = SAMPLE_RATE
) -> Iterator[Samples]:
    """The sound as blocks of (channels, `block_samples`), the last one shorter, every track with channels of its own.

    Raises: AudioError when it is not audio or is damaged from its start, OSError when it cannot be read.
    """
    links = [(link, tracks_in(link).playable) for link in links_of(file_of(open_audio))]
    channels = max(sum(widths.values()) for _, widths in links)
    blocks = (
        spread(block, channels)
        for link, widths in links
        for block in file_blocks(link, widths, rate=rate, sample_format="s16", block_samples=block_samples)
    )
    yield from even_blocks(blocks, block_samples)


def file_of(open_audio: OpenChunk) -> WholeFile:
    """The file as it is. Raises: NotAudio when its format is not known; OSError."""
    run = ChunkRun.of_file(open_audio)
    with run.open() as reader:
        container = container_of(reader, run.size_bytes)
    if container is None:
        raise NotAudio(chunk_number=None, detail="is not in a known format")
    return WholeFile(container, run)


def pcm_blocks(
    open_audio: OpenChunk, *, rate: int = SAMPLE_RATE, block_samples: int = SAMPLE_RATE
) -> Iterator[Samples]:
    """The sound mixed to mono blocks, with no channel lost. Raises: what `sound_blocks` raises."""
    mono = (block[np.newaxis] for block in mixed(sound_blocks(open_audio, rate=rate)))
    yield from (block[0] for block in even_blocks(mono, block_samples))
