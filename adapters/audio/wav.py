"""WAV (RIFF, and RF64 for more than 4 GiB): reads headers without trusting them, and joins files to the sample.

Live recorders write a header before they know how long the recording will be, so its sizes are only hints here, and
the bytes decide: 0, 0xFFFFFFFF or more than there is means "to the end", and so does a size behind which there is more
sound. Notes, zeros or a little junk behind the sound are no sound, even where their own sizes are wrong.
"""

# ruff: noqa: PLR2004 - the numbers here are the format's own, as its specification writes them

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from adapters.audio.chunk_bytes import READ_SIZE_BYTES, ChunkRun

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)
_LARGEST_RIFF = 0xFFFFFFFF
_MOST_HEADER_CHUNKS = 1000
_FILES = (b"RIFF", b"RF64", b"BW64")
_TAGS = (1, 2, 3, 6, 7, 0x10, 0x11, 0x22, 0x31, 0x40, 0x45, 0x50, 0x55, 0xFF, 0x160, 0x161, 0x162, 0x1610, 0x2000)
_MOST_CHANNELS = 64
_RATES = range(1_000, 768_001)
_NOTES = (
    b"LIST", b"id3 ", b"ID3 ", b"ID32", b"bext", b"fact", b"cue ", b"smpl", b"inst", b"JUNK", b"junk", b"PAD ", b"FLLR",
    b"iXML", b"axml", b"_PMX", b"PEAK", b"cart", b"plst", b"DISP", b"acid", b"strc", b"levl", b"link", b"chna", b"afsp",
    b"minf", b"elm1", b"regn", b"umid", b"DGDA", b"note", b"labl", b"ltxt", b"TAG ", b"SAUR", b"MD5 ", b"aXML", b"slnt",
)  # fmt: skip
"""Names of the chunks that recorders write behind the sound."""

_NOTES_AT_END = re.compile(rb"LIST.{4}(?:INFO|adtl)|(?:id3 |ID3 ).{4}ID3|bext.{4}|iXML.{4}<|_PMX.{4}<", re.DOTALL)
_LONGEST_NOTES = 1 << 16
_MOST_JUNK_BYTES = 1 << 14
_JUDGED_BYTES = 1 << 16
_QUIET, _LOUDEST, _ALIKE = 0.15, 4.0, 0.3


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
    def is_believable(self) -> bool:
        """Whether a recorder writes such a format. Sound that reads like a header names none."""
        is_frame = self.tag not in (_PCM, _FLOAT) or self.block_bytes == self.channels * ((self.bits + 7) // 8)
        return self.tag in _TAGS and self.channels <= _MOST_CHANNELS and self.rate in _RATES and is_frame

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
    declared_data_end: int | None
    """Where the sound ends according to the header; None when the header does not say."""
    sizes_are_right: bool
    """Whether a player that trusts the header hears all of it."""

    def possible_ends(self, reader: BinaryIO, size_bytes: int) -> tuple[int, ...]:
        """Where the file may end: as its header says, behind the notes that follow the sound, or with the sound."""
        if self.declared_data_end is None:
            return ()
        even = self.declared_data_end + self.declared_data_end % 2
        ends = [self.declared_end, _end_of_notes(reader, even, size_bytes), even, self.declared_data_end]
        if self.declared_end is not None:
            ends.insert(1, self.declared_end + self.declared_end % 2)
        return tuple(end for end in ends if end is not None)

    @property
    def samples(self) -> int:
        return self.data_bytes // self.format.block_bytes


def read_wave(reader: BinaryIO, size_bytes: int, *, header_only: bool = False) -> Wave | None:
    """The header of a WAV file of `size_bytes`; None when there is none, or it ends before its sound begins.

    `header_only`: believe it, and do not look whether what follows the sound is sound, too.
    """
    reader.seek(0)
    riff = reader.read(12)
    if len(riff) < 12 or riff[:4] not in _FILES or riff[8:] != b"WAVE":
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
    if header_only:
        data_bytes = max(0, min(declared, size_bytes - start))
    else:
        data_bytes = _data_bytes(reader, start, declared, form, size_bytes)
    return Wave(
        format=form,
        format_chunk=format_chunk,
        data_start=start,
        data_bytes=data_bytes - data_bytes % form.block_bytes,
        declared_end=_declared_end(riff_size, start, declared),
        declared_data_end=None if declared in _UNKNOWN_SIZES else start + declared,
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


def _data_bytes(reader: BinaryIO, start: int, declared: int, form: SampleFormat, size_bytes: int) -> int:
    """How many bytes of sound there are. Nothing but the bytes themselves tells a wrong size from what is no sound."""
    available = max(0, size_bytes - start)
    if declared in _UNKNOWN_SIZES and _only_notes_follow(reader, start, size_bytes):
        return 0
    if declared in _UNKNOWN_SIZES or declared > available:
        return available - _notes_at_end(reader, start, size_bytes)
    return available if _is_sound(reader, start + declared, form, size_bytes) else declared


def _is_sound(reader: BinaryIO, position: int, form: SampleFormat, size_bytes: int) -> bool:
    """Whether what follows the declared end of the sound is more of it, which a header written too early left out."""
    for start in (position, position + 1, max(0, position - 1)):
        reader.seek(start)
        if reader.read(4) in _NOTES:
            return False  # whatever its own size says: some writers count it wrongly
    if _only_notes_follow(reader, position + position % 2, size_bytes) or _only_zeros_follow(reader, position):
        return False
    reader.seek(position)
    return size_bytes - position > _MOST_JUNK_BYTES or resembles_sound(reader.read(_JUDGED_BYTES), form)


def _only_notes_follow(reader: BinaryIO, position: int, size_bytes: int) -> bool:
    """Whether the rest of the file is what may follow the sound (tags and the like), and not more sound."""
    for _ in range(_MOST_HEADER_CHUNKS):
        if size_bytes - position < 8:
            break
        reader.seek(position)
        head = reader.read(8)
        size = int.from_bytes(head[4:], "little")
        if head[:4] in _FILES or not all(0x20 <= byte < 0x7F for byte in head[:4]) or position + 8 + size > size_bytes:
            return False
        position += 8 + size + size % 2
    return True


def _end_of_notes(reader: BinaryIO, position: int, size_bytes: int) -> int:
    for _ in range(_MOST_HEADER_CHUNKS):
        reader.seek(position)
        head = reader.read(8)
        end = position + 8 + int.from_bytes(head[4:], "little")
        if head[:4] not in _NOTES or end > size_bytes:
            break
        position = end + end % 2
    return position


def _only_zeros_follow(reader: BinaryIO, position: int) -> bool:
    reader.seek(position)
    while block := reader.read(READ_SIZE_BYTES):
        if block.count(0) != len(block):
            return False
    return True


def _notes_at_end(reader: BinaryIO, start: int, size_bytes: int) -> int:
    """Size of the notes that end exactly where the file does, where the header does not say how long the sound is."""
    start = max(start, size_bytes - _LONGEST_NOTES)
    reader.seek(start)
    tail = reader.read(size_bytes - start)
    for match in _NOTES_AT_END.finditer(tail):
        size = int.from_bytes(match[0][4:8], "little")
        if match.start() + 8 + size in (len(tail), len(tail) - 1):
            return len(tail) - match.start()
    return 0


def resembles_sound(block: bytes, form: SampleFormat) -> bool:
    """Whether bytes read as samples are quiet, or like their neighbours. Compressed sound and pictures are neither."""
    return any(_is_smooth(_levels(block[offset:], form), form.channels) for offset in range(form.block_bytes))


def _levels(block: bytes, form: SampleFormat) -> npt.NDArray[np.float64]:
    """Samples between -1 and 1, all channels mixed in order."""
    codec = form.codec
    width = max(1, form.block_bytes // form.channels)
    block = block[: len(block) - len(block) % (width * form.channels)]
    if codec in ("pcm_f32le", "pcm_f64le"):
        with np.errstate(all="ignore"):
            return np.nan_to_num(
                np.frombuffer(block, f"<f{width}").astype(np.float64), nan=9.0, posinf=9.0, neginf=-9.0
            )
    values = np.frombuffer(block, np.uint8).reshape(-1, width)
    if codec in ("pcm_alaw", "pcm_mulaw"):
        signs = np.where(values[:, 0] & 0x80, 1.0, -1.0)
        steps = (values[:, 0] ^ (0x55 if codec == "pcm_alaw" else 0xFF)) & 0x7F
        return signs * (2.0 ** (steps / 16.0) - 1) / 255
    if codec == "pcm_u8":
        return (values[:, 0].astype(np.float64) - 128) / 128
    high = values[:, -1].astype(np.int8).astype(np.float64)
    low = values[:, -2].astype(np.float64) / 256 if width > 1 else 0.0
    return (high + low) / 128


def _is_smooth(levels: npt.NDArray[np.float64], channels: int) -> bool:
    if len(levels) < 2 * channels:
        return False
    if not np.all(np.abs(levels) <= _LOUDEST):
        return False
    levels = levels - levels.mean()
    power = float(np.dot(levels, levels))
    alike = float(np.dot(levels[channels:], levels[:-channels]))
    return power <= _QUIET**2 * len(levels) or alike >= _ALIKE * power


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
