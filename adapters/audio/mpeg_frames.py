"""Frames of raw MPEG audio streams, MP3 and AAC in ADTS: tells them from chance bytes, walks them and joins them.

Such a stream has no container: frames follow one another, each with its own header, and tags may stand around them.
"""

# ruff: noqa: PLR2004 - the numbers here are the format's own, as its specification writes them

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, Literal

from adapters.audio.budget import A_LOOK, A_SEARCH, Budget
from adapters.audio.chunk_bytes import ChunkRun

Codec = Literal["mp3", "aac"]

FRAMES_THAT_CONVINCE = 3
"""This many headers in a row, each where the frame before says, all of one format, occur by chance once in 10^10."""

FRAMES_THAT_STAND_OUT = 5
"""As many in a row are not found by chance, however many bytes are searched for them."""

LARGEST_FRAME = 8192
SEARCHED_FOR_A_BEGINNING = 1 << 20
"""How far into a file its first frame is looked for: a cut-off tag may hold a picture."""

_SEARCHED_AT_FIRST, _SEARCHED_AT_ONCE = 1 << 11, 1 << 16
_ID3V1_SIZE = 128
# An MPEG header whose version, layer, bit rate and rate all exist, or an ADTS header. Runs of 0xFF are neither.
_SYNC = re.compile(
    rb"\xff(?=[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\x1b\x20-\x2b\x30-\x3b\x40-\x4b\x50-\x5b\x60-\x6b\x70-\x7b"
    rb"\x80-\x8b\x90-\x9b\xa0-\xab\xb0-\xbb\xc0-\xcb\xd0-\xdb\xe0-\xeb]|[\xf0\xf1\xf8\xf9][\x00-\xff])"
)

TAIL_MARKS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3")
_MP3_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_KBPS_MPEG1 = {
    3: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_KBPS_MPEG2 = {
    3: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    1: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_ADTS_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """What frames must have in common to be one stream."""

    codec: Codec
    version: int
    layer: int
    rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class Frame:
    format: FrameFormat
    position: int
    size_bytes: int
    samples: int

    @property
    def end(self) -> int:
        return self.position + self.size_bytes


def frame_of(header: bytes, position: int = 0) -> Frame | None:
    """The frame whose header these bytes begin with, if they do."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    if header[1] & 0xF6 == 0xF0:
        return _adts_frame(header, position)
    return _mp3_frame(header, position)


def _mp3_frame(header: bytes, position: int) -> Frame | None:
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    bitrate_index, rate_index = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 0 or bitrate_index in (0, 15) or rate_index == 3 or header[3] & 3 == 2:
        return None
    rate = _MP3_RATES[version][rate_index]
    bits_per_second = (_KBPS_MPEG1 if version == 3 else _KBPS_MPEG2)[layer][bitrate_index] * 1000
    padding = header[2] >> 1 & 1
    if layer == 3:
        samples, size = 384, (12 * bits_per_second // rate + padding) * 4
    else:
        samples = 576 if layer == 1 and version != 3 else 1152
        size = samples // 8 * bits_per_second // rate + padding
    channels = 1 if header[3] >> 6 == 3 else 2
    return Frame(FrameFormat("mp3", version, layer, rate, channels), position, size, samples)


def _adts_frame(header: bytes, position: int) -> Frame | None:
    rate_index = header[2] >> 2 & 15
    size = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    if rate_index >= len(_ADTS_RATES) or size < 7:
        return None
    channels = (header[2] & 1) << 2 | header[3] >> 6
    samples = 1024 * ((header[6] & 3) + 1)
    form = FrameFormat("aac", header[1] >> 3 & 1, header[2] >> 6, _ADTS_RATES[rate_index], channels)
    return Frame(form, position, size, samples)


def size_of_id3(head: bytes) -> int:
    """Size in bytes of the ID3v2 tag that the bytes begin with; 0 when there is none."""
    if len(head) < 10 or head[:3] != b"ID3" or 0xFF in head[3:5] or any(byte > 0x7F for byte in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def first_frame(
    reader: BinaryIO, position: int, size_bytes: int, *, in_a_row: int = FRAMES_THAT_CONVINCE
) -> Frame | None:
    """The frame at `position`, if what follows it proves that it is not there by chance.

    Fewer than `in_a_row` are enough if they end where the reader's `size_bytes` do.
    """
    reader.seek(position)
    if frame_of(reader.read(7)) is None:
        return None  # before much is read: in small chunks, that opens many
    reader.seek(position)
    block = reader.read(min(in_a_row * LARGEST_FRAME, size_bytes - position))
    return _convincing(block, 0, position, size_bytes, in_a_row)


def next_frame(
    reader: BinaryIO, position: int, size_bytes: int, budget: Budget, *, within: int | None = None
) -> Frame | None:
    """The first frame at or after `position` that enough others follow; None when there is none.

    `within`: how many bytes are searched at most. The search also ends when the budget is spent.
    """
    stop = size_bytes if within is None else min(size_bytes, position + within)
    searched = _SEARCHED_AT_FIRST
    while position < stop:
        searched = min(searched, stop - position)
        reader.seek(position)
        block = reader.read(searched + FRAMES_THAT_STAND_OUT * LARGEST_FRAME)
        for match in _SYNC.finditer(block, 0, min(searched + 3, len(block))):
            if match.start() >= min(searched, stop - position):
                break
            found = _convincing(block, match.start(), position, size_bytes, FRAMES_THAT_STAND_OUT)
            if found is not None:
                return found
            budget.spend(A_LOOK)
            if budget.is_spent:
                return None
        position += searched
        searched = min(4 * searched, _SEARCHED_AT_ONCE)
    return None


def frames(reader: BinaryIO, size_bytes: int) -> Iterator[Frame]:
    """All frames of the reader's stream, from its start. Tags and damaged stretches are skipped."""
    position, known = 0, None
    budget = Budget.of(size_bytes)
    while position < size_bytes and not budget.is_spent:
        reader.seek(position)
        head = reader.read(16)
        frame = frame_of(head, position)
        if frame is not None and frame.format == known and frame.end <= size_bytes:
            yield frame
            position = frame.end
        elif (tag := size_of_tag(head)) and position + tag <= size_bytes:
            position += tag
        else:
            budget.spend(A_SEARCH)
            found = first_frame(reader, position, size_bytes) or next_frame(reader, position, size_bytes, budget)
            if found is None:
                return
            known, position = found.format, found.position


def size_of_tag(head: bytes) -> int:
    """Size in bytes of the tag that the bytes begin with, of any kind that stands around frames; 0 for none."""
    if head.startswith(b"TAG"):
        return _ID3V1_SIZE
    if head.startswith(b"APETAGEX") and len(head) >= 16:
        return 32 + int.from_bytes(head[12:16], "little")
    return size_of_id3(head)


def is_xing(frame_bytes: bytes, form: FrameFormat) -> bool:
    """Whether an MP3 frame is not sound but an encoder's note of how many frames follow ("Xing", "Info" or "VBRI")."""
    if form.codec != "mp3":
        return False
    offset = _side_information_end(form)
    return frame_bytes[offset : offset + 4] in (b"Xing", b"Info") or frame_bytes[36:40] == b"VBRI"


def seconds_of_frames(run: ChunkRun) -> Fraction:
    """How long all frames together last: also the encoder's delay and padding, but not the note of it."""
    seconds: Counter[int] = Counter()
    is_first = True
    with run.open() as reader:
        for frame in frames(reader, run.size_bytes):
            reader.seek(frame.position)
            if not (is_first and is_xing(reader.read(frame.size_bytes), frame.format)):
                seconds[frame.format.rate] += frame.samples
            is_first = False
    return sum((Fraction(samples, rate) for rate, samples in seconds.items()), Fraction(0))


def join_frames(runs: Sequence[ChunkRun], output: BinaryIO) -> None:
    """Write the frames of several files of one format one after another, without their tags.

    MP3 gets a new "Info" frame with the number of frames, so that players know the length without reading it all.
    """
    count = size = 0
    note: bytes | None = None
    for run in runs:
        with run.open() as reader:
            for frame in frames(reader, run.size_bytes):
                reader.seek(frame.position)
                frame_bytes = reader.read(frame.size_bytes)
                if count == 0 and note is None and frame.format.codec == "mp3":
                    note = _info_frame(frame_bytes, frame.format, 0, 0)
                    output.write(note)
                    size += len(note)
                if is_xing(frame_bytes, frame.format):
                    continue
                output.write(frame_bytes)
                count += 1
                size += len(frame_bytes)
    if note is not None:
        output.seek(0)
        output.write(_with_counts(note, count, size))


def _convincing(block: bytes, offset: int, base: int, size_bytes: int, count: int) -> Frame | None:
    """The frame at `offset` of a block that begins at `base`, if it is the first of `count` or of the last ones."""
    first = _frame_in(block, offset, base)
    frame = first
    for _ in range(count - 1):
        if first is None or frame is None or frame.format != first.format:
            return None
        if frame.end == size_bytes or block.startswith(TAIL_MARKS, frame.end - base):
            # The shortest recordings have fewer frames; two that end exactly where the file does are proof enough.
            return first if count == FRAMES_THAT_CONVINCE or frame is not first else None
        frame = _frame_in(block, frame.end - base, base)
    return first if first is not None and frame is not None and frame.format == first.format else None


def _frame_in(block: bytes, offset: int, base: int) -> Frame | None:
    return frame_of(block[offset : offset + 7], base + offset)


def _side_information_end(form: FrameFormat) -> int:
    if form.version == 3:
        return 4 + (17 if form.channels == 1 else 32)
    return 4 + (9 if form.channels == 1 else 17)


def _info_frame(model: bytes, form: FrameFormat, count: int, size_bytes: int) -> bytes:
    """A silent frame like `model` that holds the counts: the de-facto standard that every player reads."""
    header = bytearray(model[:4])
    header[1] |= 1  # no checksum
    frame = frame_of(bytes(header) + bytes(3))
    needed = _side_information_end(form) + 16
    while frame is not None and frame.size_bytes < needed:
        header[2] += 0x10  # the next higher bit rate, until the note fits
        frame = frame_of(bytes(header) + bytes(3))
    blank = bytes(header) + bytes((frame.size_bytes if frame else needed) - 4)
    return _with_counts(blank, count, size_bytes)


def _with_counts(blank: bytes, count: int, size_bytes: int) -> bytes:
    header = frame_of(blank)
    offset = _side_information_end(header.format) if header else 36
    # The field holds 32 bits; a larger file only loses the hint for seeking.
    counts = count.to_bytes(4, "big") + min(size_bytes, 0xFFFFFFFF).to_bytes(4, "big")
    note = b"Info" + (3).to_bytes(4, "big") + counts
    return blank[:offset] + note + blank[offset + len(note) :]
