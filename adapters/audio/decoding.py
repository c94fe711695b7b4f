"""Decodes any audio to what speech engines read, 16 kHz, block by block; its length does not affect memory."""

from collections.abc import Iterable, Iterator

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from adapters.audio.chunk_bytes import ChunkRun, OpenChunk
from adapters.audio.container import container_of
from adapters.audio.demuxing import track_of
from adapters.audio.errors import NotAudio
from adapters.audio.mixing import mixed
from adapters.audio.whole_files import WholeFile

SAMPLE_RATE = 16_000

Samples = npt.NDArray[np.int16]


def pcm_blocks(
    open_audio: OpenChunk, *, rate: int = SAMPLE_RATE, block_samples: int = SAMPLE_RATE
) -> Iterator[Samples]:
    """The sound as mono blocks of `block_samples` samples, the last one shorter. Silence is kept, no channel is lost.

    Raises: AudioError when it is not audio or is damaged from its start, OSError when it cannot be read.
    """
    mono = mixed(sound_blocks(open_audio, rate=rate))
    for block in _regrouped((each.reshape(1, -1) for each in mono), block_samples):
        yield block[0]


def sound_blocks(
    open_audio: OpenChunk, *, rate: int = SAMPLE_RATE, block_samples: int = SAMPLE_RATE
) -> Iterator[Samples]:
    """The sound as blocks of (channels, `block_samples`), the last one shorter; always the same number of channels.

    Raises: AudioError when it is not audio or is damaged from its start, OSError when it cannot be read.
    """
    run = ChunkRun.of_file(open_audio)
    with run.open() as reader:
        container = container_of(reader, run.size_bytes)
    if container is None:
        raise NotAudio(chunk_number=None, detail="is not in a known format")
    file = WholeFile(container, run)
    with track_of(file) as track:
        layout = track.stream.codec_context.layout
    # Not planar: PyAV crashes on eight planar channels from its resampler.
    frames = decoded(file, rate=rate, layout=layout.name, sample_format="s16")
    channels = (frame.to_ndarray().astype(np.int16, copy=False).reshape(-1, layout.nb_channels).T for frame in frames)
    yield from _regrouped(channels, block_samples)


def _regrouped(blocks: Iterable[Samples], block_samples: int) -> Iterator[Samples]:
    """The same sound, of (channels, samples), in blocks of this many samples, the last one shorter."""
    held: list[Samples] = []
    held_samples = 0
    for each in blocks:
        held.append(each)
        held_samples += each.shape[1]
        if held_samples >= block_samples:
            joined = np.concatenate(held, axis=1)
            whole = held_samples - held_samples % block_samples
            for start in range(0, whole, block_samples):
                yield joined[:, start : start + block_samples]
            held = [joined[:, whole:]]
            held_samples -= whole
    if held_samples:
        yield np.concatenate(held, axis=1)


def decoded(file: WholeFile, *, rate: int, layout: str, sample_format: str) -> Iterator[AudioFrame]:
    """A file's sound in the form asked for. The file's own form may change midway, as in chained Ogg.

    FFmpeg gives up (UnsupportedAudio) where chained Opus changes its number of channels.
    """
    resampler: AudioResampler | None = None
    form: tuple[str, str, int] | None = None
    with track_of(file) as track:
        for frame in track.frames():
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            if resampler is None or found != form:
                yield from _flushed(resampler)
                resampler, form = AudioResampler(sample_format, layout, rate), found
            frame.pts = None  # gaps in a file's timestamps are not sound, and a resampler needs no timestamps
            yield from resampler.resample(frame)
        yield from _flushed(resampler)


def layout_of(channels: int) -> str:
    """FFmpeg's name for the usual layout of this many channels."""
    return av.AudioLayout(_LAYOUTS.get(channels, f"{channels} channels")).name


_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


def _flushed(resampler: AudioResampler | None) -> Iterator[AudioFrame]:
    if resampler is not None:
        yield from resampler.resample(None)
