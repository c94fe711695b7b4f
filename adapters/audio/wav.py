"""WAV (RIFF, and RF64 for more than 4 GiB): reads headers without trusting them, and joins files to the sample.

Live recorders write a header before they know how long the recording will be, so its sizes are only hints here, and
the bytes decide: 0, 0xFFFFFFFF or more than there is means "to the end".
"""

# ruff: noqa: PLR2004 - the numbers here are the format's own, as its specification writes them

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from adapters.audio.chunk_bytes import READ_SIZE_BYTES, ChunkRun

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)
_LARGEST_RIFF = 0xFFFFFFFF
_MOST_HEADER_CHUNKS = 1000


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """How samples are stored. Files with the same format can be joined byte by byte."""

    tag: int
    channels: int
    rate: int
    bits: int
    block_bytes: int

    @property
    def is_sample_based(self) -> bool:
        """Whether every sample stands alone; some codecs pack many into a block."""
        return self.codec != ""

    @property
    def codec(self) -> str:
        names = {
            _PCM: {8: "pcm_u8", 16: "pcm_s16le", 24: "pcm_s24le", 32: "pcm_s32le", 64: "pcm_s64le"},
            _FLOAT: {32: "pcm_f32le", 64: "pcm_f64le"},
            _ALAW: {8: "pcm_alaw"},
            _MULAW: {8: "pcm_mulaw"},
        }
        return names.get(self.tag, {}).get(self.block_bytes * 8 // self.channels, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    format: SampleFormat
    format_chunk: bytes
    data_start: int
    data_bytes: int
    declared_end: int | None
    """Where the file ends according to its own header; None when the header does not say."""
    sizes_are_right: bool
    """Whether a player that trusts the header hears all of it."""

    @property
    def samples(self) -> int:
        return self.data_bytes // self.format.block_bytes


def read_wave(reader: BinaryIO, size_bytes: int) -> Wave | None:
    """The header of a WAV file of `size_bytes`; None when there is none, or it ends before its sound begins."""
    reader.seek(0)
    riff = reader.read(12)
    if len(riff) < 12 or riff[:4] not in (b"RIFF", b"RF64", b"BW64") or riff[8:] != b"WAVE":
        return None
    riff_size = int.from_bytes(riff[4:8], "little")
    wide_data_size = None
    form: SampleFormat | None = None
    format_chunk = b""
    position = 12
    for _ in range(_MOST_HEADER_CHUNKS):
        reader.seek(position)
        head = reader.read(8)
        if len(head) < 8:
            return None
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            break
        if name == b"ds64":
            riff_size, wide_data_size = struct.unpack("<QQ", reader.read(16).ljust(16, b"\0"))
        elif name == b"fmt ":
            format_chunk = reader.read(min(size, 1 << 10))
            form = _sample_format(format_chunk)
        position += 8 + size + size % 2
    else:
        return None
    if form is None:
        return None
    declared = wide_data_size if wide_data_size is not None and size == 0xFFFFFFFF else size
    start = position + 8
    data_bytes = _data_bytes(reader, start, declared, size_bytes)
    return Wave(
        format=form,
        format_chunk=format_chunk,
        data_start=start,
        data_bytes=data_bytes - data_bytes % form.block_bytes,
        declared_end=_declared_end(riff_size, start, declared),
        sizes_are_right=declared == data_bytes,
    )


def _sample_format(chunk: bytes) -> SampleFormat | None:
    if len(chunk) < 16:
        return None
    tag, channels, rate, _, block_bytes, bits = struct.unpack("<HHIIHH", chunk[:16])
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        tag = int.from_bytes(chunk[24:26], "little")
    if not channels or not rate or not block_bytes:
        return None
    return SampleFormat(tag, channels, rate, bits, block_bytes)


def _data_bytes(reader: BinaryIO, start: int, declared: int, size_bytes: int) -> int:
    available = max(0, size_bytes - start)
    if declared > available:
        return available
    if declared in _UNKNOWN_SIZES:
        return 0 if _only_chunks_follow(reader, start, size_bytes) else available
    return declared if _only_chunks_follow(reader, start + declared + declared % 2, size_bytes) else available


def _only_chunks_follow(reader: BinaryIO, position: int, size_bytes: int) -> bool:
    """Whether the rest of the file is what may follow the sound (tags and the like), and not more sound."""
    while size_bytes - position >= 8:
        reader.seek(position)
        head = reader.read(8)
        size = int.from_bytes(head[4:], "little")
        if not all(0x20 <= byte < 0x7F for byte in head[:4]) or position + 8 + size > size_bytes:
            return False
        position += 8 + size + size % 2
    return True


def _declared_end(riff_size: int, data_start: int, data_size: int) -> int | None:
    if riff_size in _UNKNOWN_SIZES or data_size in _UNKNOWN_SIZES:
        return None
    end = riff_size + 8
    return end if end >= data_start + data_size else None


def join_waves(runs: Sequence[ChunkRun], waves: Sequence[Wave], output: BinaryIO) -> None:
    """Write the samples of files of one format one after another, under a header with correct sizes."""
    first = waves[0]
    data_bytes = sum(wave.data_bytes for wave in waves)
    output.write(wave_header(first.format_chunk, data_bytes, fact_samples=_fact(first, data_bytes)))
    for run, wave in zip(runs, waves, strict=True):
        with run.open() as reader:
            reader.seek(wave.data_start)
            left = wave.data_bytes
            while left and (block := reader.read(min(left, READ_SIZE_BYTES))):
                output.write(block)
                left -= len(block)
    if data_bytes % 2:
        output.write(b"\0")


def wave_header(format_chunk: bytes, data_bytes: int, *, fact_samples: int | None = None) -> bytes:
    chunks = b"fmt " + len(format_chunk).to_bytes(4, "little") + format_chunk + bytes(len(format_chunk) % 2)
    if fact_samples is not None:
        chunks += b"fact" + struct.pack("<II", 4, min(fact_samples, 0xFFFFFFFF))
    riff_size = 4 + len(chunks) + 8 + data_bytes + data_bytes % 2
    if riff_size <= _LARGEST_RIFF:
        return b"RIFF" + struct.pack("<I", riff_size) + b"WAVE" + chunks + b"data" + struct.pack("<I", data_bytes)
    block_bytes = int.from_bytes(format_chunk[12:14], "little")
    sizes = struct.pack("<IQQQI", 28, riff_size + 36, data_bytes, data_bytes // block_bytes, 0)
    unknown = b"\xff\xff\xff\xff"
    return b"RF64" + unknown + b"WAVE" + b"ds64" + sizes + chunks + b"data" + unknown


def _fact(wave: Wave, data_bytes: int) -> int | None:
    return None if wave.format.tag == _PCM else data_bytes // wave.format.block_bytes
