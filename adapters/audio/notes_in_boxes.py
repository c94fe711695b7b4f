"""Finds long notes and pictures in MP4 and Matroska (WebM), and makes each a part that players skip."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from adapters.audio.nested_boxes import (
    CLUSTER,
    MOST_TINY,
    SEGMENT,
    ebml_element,
    is_tiny,
    is_tiny_element,
    skipped_element,
)
from adapters.audio.patches import LONGEST_NOTE_BYTES, Patch, TooManyParts

_INDEX_BOXES = (b"moov", b"trak")
_NOTE_BOXES = (b"udta", b"meta", b"uuid")
_MOST_NOTES = 1000

_SEEK_HEAD, _TRACKS = "114d9b74", "1654ae6b"
_NOTE_ELEMENTS = ("1941a469", "1254c367", "1043a770")
"""Attachments, tags, chapters (RFC 9559)."""


@dataclass(frozen=True, slots=True)
class _Box:
    name: bytes
    span: range
    content: int


def mp4_notes(reader: BinaryIO, size_bytes: int) -> Iterator[Patch]:
    """Raises: TooManyParts."""
    yield from _notes_within(reader, range(size_bytes), _Tiny("boxes"))


def _notes_within(reader: BinaryIO, parent: range, tiny: "_Tiny") -> Iterator[Patch]:
    before = ""
    for box in _boxes(reader, parent):
        name = box.name.decode("latin-1")
        if is_tiny(name, len(box.span), before=before):
            tiny.count()
        before = name
        if box.name in _INDEX_BOXES:
            yield from _notes_within(reader, range(box.content, box.span.stop), tiny)
        elif box.name in _NOTE_BOXES and len(box.span) > LONGEST_NOTE_BYTES:
            yield from _shortened(reader, box)


def _shortened(reader: BinaryIO, notes: _Box) -> Iterator[Patch]:
    """The long ones of a box's notes; or all, if they are many. Some short ones tell players the encoder's delay."""
    found: list[_Box] = []
    for leaf in _leaves(reader, notes):
        found.append(leaf)
        if len(found) > _MOST_NOTES:
            yield _skipped(notes)
            return
    yield from (_skipped(leaf) for leaf in found if len(leaf.span) > LONGEST_NOTE_BYTES)


def _leaves(reader: BinaryIO, box: _Box) -> Iterator[_Box]:
    start = box.content
    if box.name == b"meta":
        reader.seek(start)
        head = reader.read(12)
        if b"hdlr" not in (head[4:8], head[8:12]):
            yield box
            return
        start += 0 if head[4:8] == b"hdlr" else 4
    elif box.name not in (b"udta", b"ilst"):
        yield box
        return
    for child in _boxes(reader, range(start, box.span.stop)):
        yield from _leaves(reader, child)


def _skipped(box: _Box) -> Patch:
    return range(box.span.start + 4, box.span.start + 8), b"free"


def _boxes(reader: BinaryIO, parent: range) -> Iterator[_Box]:
    """Boxes of any name, as far as there are any."""
    position = parent.start
    while position + 8 <= parent.stop:
        reader.seek(position)
        head = reader.read(16)
        size, content = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, content = int.from_bytes(head[8:16], "big"), 16
        if size == 0:
            size = parent.stop - position
        if size < content:
            return
        end = min(position + size, parent.stop)
        yield _Box(head[4:8], range(position, end), position + content)
        position = end


def matroska_notes(reader: BinaryIO, size_bytes: int) -> Iterator[Patch]:
    """Up to the first cluster without a size, behind which a live recorder has no notes to write. Raises: TooManyParts.

    If the tracks are told before the first cluster, the seek head is skipped, too: players would follow it anywhere.
    """
    position = 0
    tiny = _Tiny("elements")
    seek_heads: list[Patch] = []
    has_tracks = False
    while position < size_bytes:
        element = ebml_element(reader, position, size_bytes)
        if element is None:
            return
        if is_tiny_element(element):
            tiny.count()
        if element.name == SEGMENT:
            position = element.content
            continue
        if element.name == CLUSTER:
            yield from seek_heads if has_tracks else ()
            seek_heads = []
        if not element.has_size:
            return
        has_tracks = has_tracks or element.name == _TRACKS
        span = element.span
        if element.name == _SEEK_HEAD:
            seek_heads.append(_void(span))
        elif element.name in _NOTE_ELEMENTS and len(span) > LONGEST_NOTE_BYTES:
            yield _void(span)
        position = span.stop


def _void(span: range) -> Patch:
    header = skipped_element(len(span))
    return range(span.start, span.start + len(header)), header


class _Tiny:
    """Counts parts that are too small for anything. Raises: TooManyParts."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._left = MOST_TINY

    def count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise TooManyParts(f"tiny {self._what}")
