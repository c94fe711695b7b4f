"""Joins files that differ too much to be joined as they are: decodes them and encodes them as one FLAC file.

FLAC is lossless: good recordings stay good, and lossy ones lose nothing more.
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import av
from av.audio.frame import AudioFrame
from av.codec.context import Flags

from adapters.audio.decoding import Block, SampleFormat, file_blocks, spread
from adapters.audio.survey import Survey

_MOST_CHANNELS = 8
_FLAC_RATES = (*range(1_000, 65_536), 88_200, 96_000, 176_400)
_USUAL_RATE = 48_000
_HIGHEST_RATE = 192_000
_BITS_OF_S16 = 16
_BLOCK_SAMPLES = 1 << 15


def reencode(surveys: Sequence[Survey], output: BinaryIO) -> None:
    """Write the files as one FLAC file, at the best rate, with the most channels and bits of all.

    Raises: AudioError for a damaged file, OSError when the output cannot be written.
    """
    sounds = [sound for survey in surveys for sound in survey.sounds]
    rate = _flac_rate(max(sound.rate for sound in sounds))
    sample_format: SampleFormat = "s16" if all(sound.bits <= _BITS_OF_S16 for sound in sounds) else "s32"
    channels = min(max(survey.channels for survey in surveys), _MOST_CHANNELS)
    with av.open(output, "w", format="flac", options={"fflags": "+bitexact"}) as muxed:
        target = muxed.add_stream("flac", rate=rate)
        target.codec_context.layout = _layout_of(channels)
        target.codec_context.format = sample_format
        target.codec_context.flags |= Flags.bitexact
        position = 0
        for block in _blocks(surveys, rate=rate, sample_format=sample_format, channels=channels):
            frame = AudioFrame.from_ndarray(block.T.reshape(1, -1), format=sample_format, layout=_layout_of(channels))
            frame.rate, frame.pts = rate, position
            position += frame.samples
            muxed.mux(target.encode(frame))
        muxed.mux(target.encode(None))


def _flac_rate(rate: int) -> int:
    return rate if rate in _FLAC_RATES else min(max(rate, _USUAL_RATE), _HIGHEST_RATE)


def _blocks(surveys: Sequence[Survey], *, rate: int, sample_format: SampleFormat, channels: int) -> Iterator[Block]:
    for survey in surveys:
        widths = {sound.index: sound.channels for sound in survey.sounds}
        if sum(widths.values()) > channels:
            widths = dict.fromkeys(widths, 1)  # too many for one file: each track is mixed, and keeps one channel
        for block in file_blocks(
            survey.file, widths, rate=rate, sample_format=sample_format, block_samples=_BLOCK_SAMPLES
        ):
            yield spread(block, channels)


def _layout_of(channels: int) -> str:
    """FFmpeg's name for the usual layout of this many channels."""
    return av.AudioLayout(_LAYOUTS.get(channels, f"{channels} channels")).name


_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
