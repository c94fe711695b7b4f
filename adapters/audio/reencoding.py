"""Joins whole files that differ too much to be remuxed: decodes them and encodes them as one FLAC file.

FLAC is lossless: good recordings stay good, and lossy ones lose nothing more.
"""

from collections.abc import Sequence
from typing import BinaryIO

import av
from av.codec.context import Flags

from adapters.audio.decoding import decoded, layout_of
from adapters.audio.demuxing import Sound
from adapters.audio.whole_files import WholeFile

_MOST_CHANNELS = 8
_FLAC_RATES = (*range(1_000, 65_536), 88_200, 96_000, 176_400, 192_000)
_USUAL_RATE = 48_000
_BITS_OF_S16 = 16


def reencode(files: Sequence[WholeFile], sounds: Sequence[Sound], output: BinaryIO) -> None:
    """Write the files as one FLAC file, at the rate and with the channels of the first.

    Raises: AudioError for a damaged file, OSError when the output cannot be written.
    """
    rate = sounds[0].rate if sounds[0].rate in _FLAC_RATES else _USUAL_RATE
    sample_format = "s16" if all(sound.bits <= _BITS_OF_S16 for sound in sounds) else "s32"
    layout = layout_of(min(sounds[0].channels, _MOST_CHANNELS))
    with av.open(output, "w", format="flac", options={"fflags": "+bitexact"}) as muxed:
        target = muxed.add_stream("flac", rate=rate)
        target.codec_context.layout = layout
        target.codec_context.format = sample_format
        target.codec_context.flags |= Flags.bitexact
        position = 0
        for file in files:
            for frame in decoded(file, rate=rate, layout=layout, sample_format=sample_format):
                frame.pts = position
                position += frame.samples
                muxed.mux(target.encode(frame))
        muxed.mux(target.encode(None))
