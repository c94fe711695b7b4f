"""Finds long comments in Ogg files of Opus, Vorbis, Speex and FLAC, and puts empty ones in their place."""

# ruff: noqa: PLR2004 - the numbers here are the format's own, as its specification writes them

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from adapters.audio.ogg import Page, packed_page, pages
from adapters.audio.patches import LONGEST_NOTE_BYTES, Patch

_NO_COMMENTS = bytes(8)
"""No writer's name, and no comments."""
_EMPTY = {
    b"OpusHead": b"OpusTags" + _NO_COMMENTS,
    b"\x01vorbis": b"\x03vorbis" + _NO_COMMENTS + b"\x01",
    b"Speex   ": _NO_COMMENTS,
    b"\x7fFLAC": b"\x04\0\0\x08" + _NO_COMMENTS,
}


@dataclass(slots=True)
class _Comments:
    """A stream's second packet. `empty`: what takes its place; None for a stream of an unknown kind."""

    empty: bytes | None
    spans: list[range] = field(default_factory=list)
    size_bytes: int = 0


def ogg_notes(reader: BinaryIO) -> Iterator[Patch]:
    """The pages of long comments, which stand directly behind the streams' first pages."""
    reader.seek(0)
    waiting: dict[int, _Comments] = {}
    for page in pages(reader):
        if page.is_first:
            waiting[page.serial] = _Comments(_empty_for(page.body))
        elif page.serial in waiting:
            comments = waiting[page.serial]
            comments.spans.append(range(page.position, page.end))
            if _ends_in(page, comments):
                del waiting[page.serial]
                yield from _patches(page, comments)
        if not waiting:
            return


def _empty_for(head: bytes) -> bytes | None:
    return next((empty for magic, empty in _EMPTY.items() if head.startswith(magic)), None)


def _ends_in(page: Page, comments: _Comments) -> bool:
    """Whether the packet ends in this page; its size is added up."""
    piece, ends = next(page.packets(), (b"", False))
    comments.size_bytes += len(piece)
    return ends


def _patches(last: Page, comments: _Comments) -> Iterator[Patch]:
    if comments.empty is None or comments.size_bytes <= LONGEST_NOTE_BYTES:
        return
    *before, at_last = comments.spans
    yield from ((span, b"") for span in before)
    segments = next(number for number, value in enumerate(last.lacing, start=1) if value < 255)
    rest = last.body[sum(last.lacing[:segments]) :]
    lacing = bytes([len(comments.empty)]) + last.lacing[segments:]
    yield at_last, packed_page(last, lacing=lacing, body=comments.empty + rest)
