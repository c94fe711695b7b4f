"""Bare samples, 16-bit little-endian PCM at 16 kHz mono: chunks without any header, exact to the sample.

Engines and players get them as WAV, which all of them read.
"""

import io
from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import numpy as np

from adapters.audio.chunk_bytes import READ_SIZE_BYTES, MeasuredChunks, OpenChunk
from adapters.audio.decoding import SAMPLE_RATE
from adapters.audio.errors import TooLong
from adapters.audio.stitching import StitchedAudio
from adapters.audio.wav import read_wave, wave_header

PCM_CODEC = "pcm_s16le"
"""FFmpeg's name for it; a recording opened with this codec has chunks of bare samples."""

SAMPLE_BYTES = 2
_FULL_SCALE = 32768

_FORMAT_CHUNK = b"".join(
    number.to_bytes(size, "little")
    for number, size in ((1, 2), (1, 2), (SAMPLE_RATE, 4), (SAMPLE_RATE * SAMPLE_BYTES, 4), (SAMPLE_BYTES, 2), (16, 2))
)


def pcm_file(samples: bytes) -> BinaryIO:
    """The samples as a WAV file in memory."""
    return io.BytesIO(wave_header(_FORMAT_CHUNK, len(samples)) + samples)


def stitch_pcm(
    chunks: Sequence[OpenChunk], output: Path, *, float_units: Collection[int] = (), longest: timedelta | None = None
) -> StitchedAudio:
    """Write the chunks' samples, in order, as one WAV file. With no samples, it is a WAV file without sound.

    `float_units`: which chunks, counted from 0, have samples of -1, 0 and 1 that stand for full scale.
    `longest`: the most that they may last together; None for no limit.

    Raises: TooLong; OSError when a chunk cannot be read or the output cannot be written.
    """
    measured = MeasuredChunks.of(chunks)
    size_bytes = sum(piece.size_bytes for piece in measured.pieces)
    duration = timedelta(seconds=size_bytes / (SAMPLE_RATE * SAMPLE_BYTES))
    if longest is not None and duration > longest:
        raise TooLong(longest)
    try:
        with output.open("wb") as file:
            file.write(wave_header(_FORMAT_CHUNK, size_bytes))
            for index, open_chunk in enumerate(chunks):
                with open_chunk() as reader:
                    while block := reader.read(READ_SIZE_BYTES):
                        file.write(_at_full_scale(block) if index in float_units else block)
    except BaseException:
        output.unlink(missing_ok=True)
        raise
    return StitchedAudio(
        duration_ms=round(duration / timedelta(milliseconds=1)),
        content_type="audio/wav",
        codec=PCM_CODEC,
        method="concatenated",
        chunks_md5=measured.md5,
    )


def _at_full_scale(units: bytes) -> bytes:
    return (
        np.clip(np.frombuffer(units, "<i2") * np.int32(_FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
        .astype("<i2")
        .tobytes()
    )


class StitchedSamples:
    """Any stretch of a WAV file that `stitch_pcm` wrote."""

    def __init__(self, reader: BinaryIO) -> None:
        """Raises: ValueError when it is not such a file; OSError."""
        size_bytes = reader.seek(0, io.SEEK_END)
        wave = read_wave(reader, size_bytes)
        if wave is None or wave.format.codec != PCM_CODEC:
            raise ValueError("This is not a WAV file of 16-bit samples.")
        self._reader = reader
        self._start = wave.data_start
        self.count = wave.samples

    def between(self, start: int, end: int) -> bytes:
        """The samples from `start` to before `end`, counted from 0."""
        self._reader.seek(self._start + start * SAMPLE_BYTES)
        return self._reader.read(max(0, end - start) * SAMPLE_BYTES)
