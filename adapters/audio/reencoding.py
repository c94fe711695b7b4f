"""Joins files that differ too much to be joined as they are: decodes them and encodes them as one FLAC file.

FLAC is lossless: good recordings stay good, and lossy ones lose nothing more. But a short file of a costly form would
make a long one large, and what a lossy codec holds in little takes much without loss. So the result has at most so many
times the bytes of the files: else it is made in a simpler form, and at last in one that is good enough for speech.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.codec.context import Flags

from adapters.audio.decoding import SAMPLE_RATE, Block, SampleFormat, file_blocks, spread
from adapters.audio.mixing import mixed
from adapters.audio.survey import Survey

MOST_TIMES = 24
"""How many times the files' bytes the result may have, whatever form they ask for."""

SPEECH_BYTES_PER_SECOND = 2 * SAMPLE_RATE
"""Or as many for each second and channel, of two at most: the simplest form never takes more."""

OVERHEAD_BYTES = 1 << 16
"""The file's own headers, and what the writer holds back."""

_MOST_CHANNELS = 8
_MOST_KEPT_FOR_SPEECH = 2
_FLAC_RATES = (*range(1_000, 65_536), 88_200, 96_000, 176_400)
_USUAL_RATE, _LOWER_RATE = 48_000, 24_000
_HIGHEST_RATE = 192_000
_BITS_OF_S16 = 16
_BLOCK_SAMPLES = 1 << 15


@dataclass(frozen=True, slots=True)
class _Form:
    rate: int
    channels: int
    sample_format: SampleFormat
    is_mixed: bool = False
    """Whether all channels become one in which none is lost."""


class _TooLarge(Exception):
    """More bytes were written than may be."""


def reencode(surveys: Sequence[Survey], output: BinaryIO) -> None:
    """Write the files as one FLAC file: at the best rate, with the most channels and bits of all, if that is not too
    large for what they are.

    Raises: AudioError for a damaged file, OSError when the output cannot be written.
    """
    best = _best_form(surveys)
    for form in _simpler_forms(best):
        try:
            _encode(surveys, output, form, widest=best.channels, most_bytes=most_bytes_of(surveys))
        except _TooLarge:
            output.seek(0)
            output.truncate()
        else:
            return
    _encode(surveys, output, _for_speech(best), widest=best.channels, most_bytes=None)


def most_bytes_of(surveys: Sequence[Survey]) -> int:
    """How many bytes the files may have as one."""
    size = sum(survey.file.run.size_bytes for survey in surveys)
    seconds = sum(survey.seconds for survey in surveys)
    channels = _for_speech(_best_form(surveys)).channels
    return max(MOST_TIMES * size, round(seconds * channels * SPEECH_BYTES_PER_SECOND)) + OVERHEAD_BYTES


def _best_form(surveys: Sequence[Survey]) -> _Form:
    sounds = [sound for survey in surveys for sound in survey.sounds]
    sample_format: SampleFormat = "s16" if all(sound.bits <= _BITS_OF_S16 for sound in sounds) else "s32"
    channels = min(max(survey.channels for survey in surveys), _MOST_CHANNELS)
    return _Form(_flac_rate(max(sound.rate for sound in sounds)), channels, sample_format)


def _simpler_forms(best: _Form) -> list[_Form]:
    """The best form and simpler ones, but for the simplest."""
    usual = replace(best, rate=min(best.rate, _USUAL_RATE), sample_format="s16")
    lower = replace(usual, rate=min(best.rate, _LOWER_RATE))
    return list(dict.fromkeys((best, usual, lower)))


def _for_speech(best: _Form) -> _Form:
    is_mixed = best.channels > _MOST_KEPT_FOR_SPEECH
    return _Form(min(best.rate, SAMPLE_RATE), 1 if is_mixed else best.channels, "s16", is_mixed)


def _encode(surveys: Sequence[Survey], output: BinaryIO, form: _Form, *, widest: int, most_bytes: int | None) -> None:
    """`widest`: the channels that the files have before they are mixed. Raises: _TooLarge, and as `reencode`."""
    layout = _layout_of(form.channels)
    with av.open(output, "w", format="flac", options={"fflags": "+bitexact"}) as muxed:
        target = muxed.add_stream("flac", rate=form.rate)
        target.codec_context.layout = layout
        target.codec_context.format = form.sample_format
        target.codec_context.flags |= Flags.bitexact
        position = 0
        for block in _formed(_blocks(surveys, form, channels=widest), form):
            frame = AudioFrame.from_ndarray(block.T.reshape(1, -1), format=form.sample_format, layout=layout)
            frame.rate, frame.pts = form.rate, position
            position += frame.samples
            muxed.mux(target.encode(frame))
            if most_bytes is not None and output.tell() > most_bytes:
                raise _TooLarge
        muxed.mux(target.encode(None))


def _formed(blocks: Iterator[Block], form: _Form) -> Iterator[Block]:
    return (block[np.newaxis] for block in mixed(blocks)) if form.is_mixed else blocks


def _flac_rate(rate: int) -> int:
    return rate if rate in _FLAC_RATES else min(max(rate, _USUAL_RATE), _HIGHEST_RATE)


def _blocks(surveys: Sequence[Survey], form: _Form, *, channels: int) -> Iterator[Block]:
    for survey in surveys:
        widths = {sound.index: sound.channels for sound in survey.sounds}
        if sum(widths.values()) > channels:
            widths = dict.fromkeys(widths, 1)  # too many for one file: each track is mixed, and keeps one channel
        for block in file_blocks(
            survey.file, widths, rate=form.rate, sample_format=form.sample_format, block_samples=_BLOCK_SAMPLES
        ):
            yield spread(block, channels)


def _layout_of(channels: int) -> str:
    """FFmpeg's name for the usual layout of this many channels."""
    return av.AudioLayout(_LAYOUTS.get(channels, f"{channels} channels")).name


_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
