"""Outlines of the two containers made of sized elements: MP4 (boxes, ISO/IEC 14496-12) and WebM (EBML, RFC 8794).

Reads only enough to tell whether bytes belong to the file, and where the file says that it ends.
"""

# ruff: noqa: PLR2004 - the numbers here are the format's own, as its specification writes them

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

TOP_BOXES = {
    "ftyp", "styp", "moov", "mdat", "moof", "mfra", "free", "skip", "wide", "uuid", "udta", "meta", "sidx", "ssix",
    "prft", "emsg", "pnot", "PICT", "pdin", "bloc", "junk", "imda",
}  # fmt: skip
"""Boxes that stand at the top of an MP4 or QuickTime file."""

FIRST_BOXES = frozenset(("ftyp", "pdin", "free", "skip", "wide"))
"""Those of them that may stand at its start and hold nothing that is needed to play it."""

TINY_BYTES = 16
"""No sound fits into a smaller box or element: a file has few of them."""

MOST_TINY = 1000
_BOX_HEADER_BYTES = 8
_BLOCKS, _BLOCK_HEADER_BYTES = ("a3", "a0"), 6

_SEGMENT, _CLUSTER, _EBML = 0x18538067, 0x1F43B675, 0x1A45DFA3
SEGMENT, CLUSTER, EBML = "18538067", "1f43b675", "1a45dfa3"
BLOCK_HEADER = re.compile(rb"\xa3(?:[\x81-\xfe]|[\x40-\x7f].|[\x20-\x3f]..)[\x81-\x88]..[\x00\x01\x80\x81]", re.DOTALL)
"""A block of sound in WebM: its size, its track, its time and its flags, which ask for no lacing."""

CLUSTER_MAGIC = b"\x1f\x43\xb6\x75"
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
    content: int = 0
    """Where what it holds begins."""

    @property
    def is_entered(self) -> bool:
        """Whether what follows is what a WebM segment or cluster holds, and not what comes behind it."""
        return self.name in (SEGMENT, CLUSTER)

    @property
    def is_printable(self) -> bool:
        return all("\x20" <= character < "\x7f" or character == "\xa9" for character in self.name)


def mp4_boxes(reader: BinaryIO, size_bytes: int, position: int = 0) -> Iterator[Box]:
    """Top-level boxes from `position` on, up to the first bytes that are not a box, or until too many were tiny."""
    tiny, before = 0, ""
    while position < size_bytes and tiny <= MOST_TINY:
        box = mp4_box(reader, position, size_bytes)
        if box is None:
            return
        yield box
        tiny += is_tiny(box.name, len(box.span), before=before)
        position, before = box.span.stop, box.name


def is_tiny(name: str, size_bytes: int, *, before: str) -> bool:
    """Whether no sound fits into a box. It does into a fragment's, however small: a frame of silence has few bytes.

    `before`: the name of the box before it.
    """
    return size_bytes < TINY_BYTES and not (name == "mdat" and before == "moof" and size_bytes > _BOX_HEADER_BYTES)


def is_tiny_element(element: Box) -> bool:
    """Whether no sound fits into an element. It does into a block of more than its own header, however small."""
    size_bytes = len(element.span)
    return size_bytes < TINY_BYTES and not (element.name in _BLOCKS and size_bytes > _BLOCK_HEADER_BYTES)


def has_index(reader: BinaryIO, size_bytes: int, position: int) -> bool:
    """Whether an index (`moov`) stands at `position` or after it, before another file begins."""
    for box in mp4_boxes(reader, size_bytes, position):
        if box.name in ("ftyp", "moov"):
            return box.name == "moov"
    return False


def mp4_box(reader: BinaryIO, position: int, size_bytes: int) -> Box | None:
    """The top-level box at `position`. One of an unknown name must end where a known one begins, or the file ends."""
    reader.seek(position)
    head = reader.read(16)
    name, size = head[4:8], int.from_bytes(head[:4], "big")
    if size == 1:
        size = int.from_bytes(head[8:16], "big")
    if len(name) < 4 or 0 < size < 8:
        return None
    end = position + size if size else size_bytes
    box = Box(name.decode("latin-1"), range(position, end), has_size=size > 0)
    if box.name in TOP_BOXES or (box.is_printable and end == size_bytes):
        return box
    if not box.is_printable or end + 8 > size_bytes:
        return None
    reader.seek(end + 4)
    return box if reader.read(4).decode("latin-1") in TOP_BOXES else None


def matroska_element(reader: BinaryIO, position: int, size_bytes: int) -> Box | None:
    """The element at `position` that may stand at the top, in a segment or in a cluster; None when there is none."""
    element = ebml_element(reader, position, size_bytes)
    return element if element is not None and int(element.name, 16) in _KNOWN_ELEMENTS else None


def ebml_element(reader: BinaryIO, position: int, size_bytes: int) -> Box | None:
    """The element at `position`, whatever it is; None when there is none."""
    reader.seek(position)
    head = reader.read(12)
    identifier, after_id = _number(head, 0, keep_marker=True)
    if identifier is None or after_id >= len(head):
        return None
    size, start = _number(head, after_id, keep_marker=False)
    end = size_bytes if size is None else position + start + size
    return Box(f"{identifier:x}", range(position, end), has_size=size is not None, content=position + start)


def skipped_box(size_bytes: int) -> bytes:
    """The header of a box of this size whose content means nothing; nothing if there is no place for one."""
    if size_bytes < 16:
        return b"" if size_bytes < 8 else size_bytes.to_bytes(4, "big") + b"free"
    return b"\0\0\0\x01free" + size_bytes.to_bytes(8, "big")


def skipped_element(size_bytes: int) -> bytes:
    """The header of a WebM element of this size whose content means nothing; nothing if there is no place for one."""
    if size_bytes < 9:
        return b"" if size_bytes < 2 else bytes([0xEC, 0x80 | size_bytes - 2])
    return b"\xec\x01" + (size_bytes - 9).to_bytes(7, "big")


def begins_cluster(head: bytes) -> bool:
    """Whether a WebM cluster begins here, with the time that its first element holds."""
    identifier, after_id = _number(head, 0, keep_marker=True)
    if identifier != _CLUSTER:
        return False
    _, start = _number(head, after_id, keep_marker=False)
    return head[start : start + 1] in (b"\xe7", b"\xec", b"\xbf")


def begins_fragment(head: bytes) -> bool:
    """Whether a fragment, a segment or the index of an MP4 file begins here."""
    name, first_child = head[4:8], head[12:16]
    if name == b"moov":
        return first_child == b"mvhd"
    return name == b"styp" or (name == b"moof" and first_child == b"mfhd") or (name == b"sidx" and head[:2] == b"\0\0")


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
