"""Outlines of the two containers made of sized elements: MP4 (boxes, ISO/IEC 14496-12) and WebM (EBML, RFC 8794).

Reads only enough to tell whether bytes belong to the file, and where the file says that it ends.
"""

# ruff: noqa: PLR2004 - the numbers here are the format's own, as its specification writes them

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_SEGMENT, _CLUSTER, _EBML = 0x18538067, 0x1F43B675, 0x1A45DFA3
_KNOWN_ELEMENTS = {
    _EBML, _SEGMENT, _CLUSTER,
    0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367,  # the other top elements
    0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF,  # what a cluster holds
    0xEC, 0xBF,  # void and checksum may stand anywhere
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Box:
    """An element of the outline. An element of unknown size extends to the end of the file."""

    name: str
    span: range
    has_size: bool


def mp4_boxes(reader: BinaryIO, size_bytes: int) -> Iterator[Box]:
    """Top-level boxes, up to the first bytes that are not a box."""
    position = 0
    while position < size_bytes:
        reader.seek(position)
        head = reader.read(16)
        name, size = head[4:8], int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if len(name) < 4 or not all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in name) or 0 < size < 8:
            return
        end = position + size if size else size_bytes
        yield Box(name.decode("latin-1"), range(position, end), has_size=size > 0)
        position = end


def matroska_elements(reader: BinaryIO, size_bytes: int) -> Iterator[Box]:
    """Elements at the top, in the segment and in clusters of unknown size, up to the first bytes that are not one."""
    position = 0
    while position < size_bytes:
        reader.seek(position)
        head = reader.read(12)
        identifier, after_id = _number(head, 0, keep_marker=True)
        size, start = _number(head, after_id, keep_marker=False)
        if identifier not in _KNOWN_ELEMENTS:
            return
        unknown = size is None
        end = size_bytes if size is None else position + start + size
        yield Box(f"{identifier:x}", range(position, end), has_size=not unknown)
        enters = identifier == _SEGMENT or (identifier == _CLUSTER and unknown)
        position = position + start if enters else end


def mp4_is_whole(reader: BinaryIO, size_bytes: int) -> bool:
    """Whether a file of this size is complete: it has its index and its sound, and its last box ends at its end.

    A file that is recorded in fragments never says that it is complete.
    """
    boxes = list(mp4_boxes(reader, size_bytes))
    names = {box.name for box in boxes}
    return "moov" in names and "mdat" in names and "moof" not in names and _ends_at(boxes[-1], size_bytes)


def matroska_is_whole(reader: BinaryIO, size_bytes: int) -> bool:
    """Whether the file's segment declares its size and ends here."""
    segment = next((box for box in matroska_elements(reader, size_bytes) if box.name == f"{_SEGMENT:x}"), None)
    return segment is not None and _ends_at(segment, size_bytes)


def _ends_at(box: Box, size_bytes: int) -> bool:
    return box.has_size and box.span.stop == size_bytes


def _number(head: bytes, offset: int, *, keep_marker: bool) -> tuple[int | None, int]:
    """An EBML number of variable length and where it ends. None when all its bits are ones, which means "unknown"."""
    if offset >= len(head) or head[offset] == 0:
        return None, offset + 1
    length = 9 - head[offset].bit_length()
    value = int.from_bytes(head[offset : offset + length], "big")
    if not keep_marker:
        value &= (1 << 7 * length) - 1
        if value == (1 << 7 * length) - 1:
            return None, offset + length
    return value, offset + length
