"""FLAC (RFC 9639): joins frames without decoding them, and counts them to the sample.

Every frame's header counts from the start of its file, so frames of a second file get new headers with the number of
their first sample in the joined file ("variable block size", because a shorter last block is now in the middle). The
sound in the frames is untouched; both checksums of each frame are updated.
"""

# ruff: noqa: PLR2004 - the numbers here are the format's own, as its specification writes them

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

MAGIC = b"fLaC"
STREAMINFO_SIZE = 34

_MOST_BLOCKS = 1000
_BLOCK_SIZES = {1: 192, 2: 576, 3: 1152, 4: 2304, 5: 4608} | {code: 1 << code for code in range(8, 16)}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """The block that describes a FLAC stream at its start. Zero means "unknown", except in rate, channels and bits."""

    smallest_block: int
    largest_block: int
    smallest_frame_bytes: int
    largest_frame_bytes: int
    rate: int
    channels: int
    bits: int
    samples: int
    md5: bytes

    @classmethod
    def of(cls, packed: bytes) -> "StreamInfo | None":
        """From the 34 bytes of the block; None when they cannot be one."""
        if len(packed) < STREAMINFO_SIZE:
            return None
        middle = int.from_bytes(packed[10:18], "big")
        info = cls(
            smallest_block=int.from_bytes(packed[0:2], "big"),
            largest_block=int.from_bytes(packed[2:4], "big"),
            smallest_frame_bytes=int.from_bytes(packed[4:7], "big"),
            largest_frame_bytes=int.from_bytes(packed[7:10], "big"),
            rate=middle >> 44,
            channels=(middle >> 41 & 7) + 1,
            bits=(middle >> 36 & 31) + 1,
            samples=middle & (1 << 36) - 1,
            md5=packed[18:34],
        )
        return info if info.rate and info.largest_block >= 16 else None

    def packed(self) -> bytes:
        middle = self.rate << 44 | self.channels - 1 << 41 | self.bits - 1 << 36 | self.samples
        return b"".join(
            (
                self.smallest_block.to_bytes(2, "big"),
                self.largest_block.to_bytes(2, "big"),
                self.smallest_frame_bytes.to_bytes(3, "big"),
                self.largest_frame_bytes.to_bytes(3, "big"),
                middle.to_bytes(8, "big"),
                self.md5,
            )
        )


@dataclass(frozen=True, slots=True)
class FrameHeader:
    block_size: int
    number: int
    counts_samples: bool
    """Whether `number` counts samples, because blocks differ in size; otherwise it counts frames."""
    number_end: int
    size: int
    """Size of the header in bytes, including its checksum."""


def frame_header(frame: bytes) -> FrameHeader | None:
    """The header at the start of a frame; None when there is none with a correct checksum."""
    if len(frame) < 6 or frame[0] != 0xFF or frame[1] & 0xFE != 0xF8 or frame[3] & 1:
        return None
    ones = 8 - (frame[4] ^ 0xFF).bit_length()
    number_end = 4 + max(1, ones)
    block_code, rate_code = frame[2] >> 4, frame[2] & 15
    block_field = {6: 1, 7: 2}.get(block_code, 0)
    rate_field = {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    size = number_end + block_field + rate_field + 1
    if ones in (1, 8) or block_code == 0 or rate_code == 15 or frame[3] >> 4 > 10 or len(frame) < size:
        return None
    if crc8(frame[: size - 1]) != frame[size - 1]:
        return None
    number = frame[4] & (0x7F >> ones)
    for byte in frame[5:number_end]:
        number = number << 6 | byte & 0x3F
    block_size = _BLOCK_SIZES.get(block_code, 0)
    if block_field:
        block_size = int.from_bytes(frame[number_end : number_end + block_field], "big") + 1
    return FrameHeader(block_size, number, bool(frame[1] & 1), number_end, size)


def metadata_end(reader: BinaryIO, position: int) -> int:
    """Where the frames begin in a stream that begins at `position`, or a block of metadata, if there are too many."""
    position += len(MAGIC)
    for _ in range(_MOST_BLOCKS):
        reader.seek(position)
        head = reader.read(4)
        position += len(head) + int.from_bytes(head[1:], "big")
        if len(head) < 4 or head[0] & 0x80:
            break
    return position


def last_header(block: bytes, info: StreamInfo) -> tuple[int, FrameHeader] | None:
    """Where the last frame of the stream that begins in these bytes does, and its header."""
    offset = len(block)
    while (offset := block.rfind(b"\xff", 0, offset)) >= 0:
        header = frame_header(block[offset : offset + 16])
        if header is not None and header.block_size <= info.largest_block:
            return offset, header
    return None


def is_final(header: FrameHeader, info: StreamInfo) -> bool:
    """Whether the frame is the stream's last, going by the number of samples that the stream declares."""
    first = header.number if header.counts_samples else header.number * info.largest_block
    return bool(info.samples) and first + header.block_size == info.samples


class FlacWriter:
    """Writes frames of one or several streams as one stream. `close` writes the final counts at the file's start."""

    def __init__(self, output: BinaryIO, info: StreamInfo) -> None:
        self._output = output
        self._info = replace(
            info,
            smallest_block=0xFFFF,
            largest_block=16,
            smallest_frame_bytes=0xFFFFFF,
            largest_frame_bytes=0,
            samples=0,
        )
        self._start = output.tell()
        self._write_start(info)

    def write_frames(self, frames: Iterable[bytes]) -> None:
        """Add the frames of a stream with the same rate, channels and bits; incomplete frames are left out."""
        held: bytes | None = None
        for frame in frames:
            if held is not None:
                self._write(held)
            held = frame
        # Only the last frame of a file can be cut off, and a decoder would stumble over what is left of it.
        if held is not None and crc16(held) == 0:
            self._write(held)

    def close(self) -> int:
        """Complete the file. Returns the count of samples."""
        info = self._info
        self._output.seek(self._start)
        if info.samples == 0:
            info = replace(info, smallest_block=16, smallest_frame_bytes=0)
        # The MD5 of the samples is not known without decoding them all; zeros say so.
        self._write_start(replace(info, md5=bytes(16)))
        return info.samples

    def _write_start(self, info: StreamInfo) -> None:
        last_block_of_metadata = b"\x80" + STREAMINFO_SIZE.to_bytes(3, "big")
        self._output.write(MAGIC + last_block_of_metadata + info.packed())

    def _write(self, frame: bytes) -> None:
        header = frame_header(frame)
        if header is None:
            return
        info = self._info
        renumbered = _renumbered(frame, header, info.samples)
        self._output.write(renumbered)
        self._info = replace(
            info,
            samples=info.samples + header.block_size,
            smallest_block=min(info.smallest_block, header.block_size),
            largest_block=max(info.largest_block, header.block_size),
            smallest_frame_bytes=min(info.smallest_frame_bytes, len(renumbered)),
            largest_frame_bytes=max(info.largest_frame_bytes, len(renumbered)),
        )


def _renumbered(frame: bytes, header: FrameHeader, first_sample: int) -> bytes:
    old = frame[: header.size]
    variable_block_size = bytes([frame[0], frame[1] | 1])
    new = variable_block_size + frame[2:4] + _coded_number(first_sample) + old[header.number_end : -1]
    new += bytes([crc8(new)])
    # The checksum is linear: how the new header changes it depends only on the number of bytes that follow, not on the
    # bytes themselves. So they need not be read again.
    following = len(frame) - header.size - 2
    change = _after_zeros(crc16(old) ^ crc16(new), following)
    checksum = int.from_bytes(frame[-2:], "big") ^ change
    return new + frame[header.size : -2] + checksum.to_bytes(2, "big")


def _coded_number(number: int) -> bytes:
    """UTF-8's encoding of a character, extended to 36 bits."""
    if number < 0x80:
        return bytes([number])
    length = next(count for count in range(2, 8) if number < 1 << (5 * count + 1))
    following = [0x80 | number >> (6 * place) & 0x3F for place in range(length - 2, -1, -1)]
    lead = (0xFF00 >> length & 0xFF) | number >> (6 * (length - 1))
    return bytes([lead, *following])


def _table(polynomial: int, bits: int) -> Sequence[int]:
    top, mask = 1 << (bits - 1), (1 << bits) - 1
    table = []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
        table.append(value)
    return table


_CRC8 = _table(0x07, 8)
_CRC16 = _table(0x8005, 16)


def crc8(block: bytes) -> int:
    value = 0
    for byte in block:
        value = _CRC8[value ^ byte]
    return value


def crc16(block: bytes, value: int = 0) -> int:
    """Zero for a whole frame with its checksum. `value`: the CRC of the bytes before."""
    for byte in block:
        value = (value << 8 & 0xFF00) ^ _CRC16[value >> 8 ^ byte]
    return value


def _after_zeros(checksum: int, count: int) -> int:
    """The CRC-16 after `count` more zero bytes: a multiplication by x^(8 count), done by squaring."""
    factor, power = 0x100, count
    while power:
        if power & 1:
            checksum = _multiplied(checksum, factor)
        factor = _multiplied(factor, factor)
        power >>= 1
    return checksum


def _multiplied(left: int, right: int) -> int:
    product = 0
    while right:
        if right & 1:
            product ^= left
        left = left << 1 ^ (0x18005 if left & 0x8000 else 0)
        right >>= 1
    return product
