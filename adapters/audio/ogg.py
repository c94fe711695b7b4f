"""Ogg pages, read and written byte for byte (RFC 3533)."""

# ruff: noqa: PLR2004 - the numbers here are the format's own, as its specification writes them

import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from adapters.audio.budget import A_LOOK, Budget

CAPTURE = b"OggS"
HEADER_SIZE = 27
LARGEST_PAGE = HEADER_SIZE + 255 + 255 * 255
LONGEST_PACKET = 1 << 20
NO_PACKET_ENDS_HERE = -1

_BYTES_PER_LOOK = 4096
_SEARCHED_AT_FIRST, _SEARCHED_AT_ONCE = 1 << 9, 1 << 16
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_BITS_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page. `granule` is its granule position: for Opus, samples at 48 kHz up to the last packet that ends here."""

    position: int
    granule: int
    serial: int
    is_continued: bool
    is_first: bool
    is_last: bool
    lacing: bytes
    body: bytes

    @property
    def end(self) -> int:
        return self.position + HEADER_SIZE + len(self.lacing) + len(self.body)

    def packets(self) -> Iterator[tuple[bytes, bool]]:
        """The packets, or parts of packets, of this page, and whether each of them ends here."""
        start = size = 0
        for value in self.lacing:
            size += value
            if value < 255:
                yield self.body[start : start + size], True
                start += size
                size = 0
        if self.lacing and self.lacing[-1] == 255:
            yield self.body[start:], False


def pages(reader: BinaryIO) -> Iterator[Page]:
    """Every whole page from the reader's position on. Bytes outside pages with a correct checksum are skipped."""
    position = reader.tell()
    budget = Budget.of(reader.seek(0, io.SEEK_END) - position)
    while True:
        page = page_at(reader, position, budget)
        if page is None:
            following = None if budget.is_spent else _next_capture(reader, position + 1)
            if following is None:
                return
            position = following
        else:
            yield page
            position = page.end


def next_page(reader: BinaryIO, budget: Budget) -> int | None:
    """Where the next page with a correct checksum begins, counted from the reader's start; None when there is none."""
    position = _next_capture(reader, 0)
    while position is not None and not budget.is_spent:
        if page_at(reader, position, budget) is not None:
            return position
        position = _next_capture(reader, position + 1)
    return None


def page_at(reader: BinaryIO, position: int, budget: Budget | None = None) -> Page | None:
    """The page that begins at `position`; None when there is none, it is cut off, or its checksum is wrong."""
    reader.seek(position)
    header = reader.read(HEADER_SIZE)
    if len(header) < HEADER_SIZE or header[:5] != CAPTURE + b"\0":
        if budget is not None:
            budget.spend(A_LOOK)
        return None
    lacing = reader.read(header[26])
    body = reader.read(sum(lacing))
    is_cut_off = len(lacing) < header[26] or len(body) < sum(lacing)
    if is_cut_off or _checksum(header[:22] + bytes(4) + header[26:] + lacing + body) != header[22:26]:
        if budget is not None:
            budget.spend(A_LOOK + (len(lacing) + len(body)) // _BYTES_PER_LOOK)
        return None
    return Page(
        position=position,
        granule=int.from_bytes(header[6:14], "little", signed=True),
        serial=int.from_bytes(header[14:18], "little"),
        is_continued=bool(header[5] & _CONTINUED),
        is_first=bool(header[5] & _FIRST),
        is_last=bool(header[5] & _LAST),
        lacing=lacing,
        body=body,
    )


def packed_page(page: Page, *, lacing: bytes, body: bytes) -> bytes:
    """A page of the same stream and place with other packets, none of which continues one of the page before it."""
    flags = (_FIRST if page.is_first else 0) | (_LAST if page.is_last else 0)
    return _packed(_header(flags, page.granule, page.serial, 0), lacing, body)


def layout(page: Page) -> bytes:
    """What the first page of a stream says of how it is decoded: its codec, channels and rate."""
    if page.body.startswith(b"OpusHead"):
        return page.body[:10] + page.body[18:]  # but for the encoder's delay, the recorded rate and the volume
    if page.body.startswith(b"\x01vorbis"):
        return page.body[:16]
    return page.body[:36] if page.body.startswith(b"\x7fFLAC") else page.body


def begins_page(head: bytes) -> bool:
    return head[:5] == CAPTURE + b"\0"


def begins_stream(head: bytes) -> bool:
    """Whether the first page of a stream begins here: one that holds a header, and not the middle of a file."""
    return begins_page(head) and len(head) > 5 and bool(head[5] & _FIRST)


def links(reader: BinaryIO) -> list[int]:
    """Where each file of a chain begins: at a stream's first page that follows other pages than first ones.

    Streams that play together have all their first pages at the beginning of their file.
    """
    reader.seek(0)
    starts: list[int] = []
    is_among_first = False
    for page in pages(reader):
        if page.is_first and not is_among_first:
            starts.append(page.position)
        is_among_first = page.is_first
    return starts


class PageWriter:
    """Writes packets of one stream as pages."""

    def __init__(self, output: BinaryIO, *, serial: int, packets_per_page: int = 50) -> None:
        self._output = output
        self._serial = serial
        self._packets_per_page = packets_per_page
        self._sequence = 0
        self._lacing = bytearray()
        self._body = bytearray()
        self._granule = NO_PACKET_ENDS_HERE
        self._packets = 0
        self._continued = False

    def write(self, packet: bytes, *, granule: int, ends_page: bool = False) -> None:
        """Add a packet that ends at `granule`. With `ends_page` its page is written at once, as header packets require.

        A full page waits for the next packet: the last page must hold a packet for the end trim to count.
        """
        if self._packets >= self._packets_per_page or len(self._lacing) == 255:
            self._flush()
        rest = memoryview(packet)
        lacing = b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
        while lacing:
            taken = lacing[: 255 - len(self._lacing)]
            lacing = lacing[len(taken) :]
            size = sum(taken)
            self._lacing += taken
            self._body += rest[:size]
            rest = rest[size:]
            if lacing:
                self._flush()
                self._continued = True
        self._granule = granule
        self._packets += 1
        if ends_page:
            self._flush()

    def close(self, *, granule: int) -> None:
        """End the stream at `granule`, which may lie before the end of the last packet: the rest is trimmed."""
        self._granule = granule
        self._flush(flags=_LAST)

    def _flush(self, flags: int = 0) -> None:
        flags |= _FIRST if self._sequence == 0 else 0
        flags |= _CONTINUED if self._continued else 0
        header = _header(flags, self._granule, self._serial, self._sequence)
        self._output.write(_packed(header, self._lacing, self._body))
        self._sequence += 1
        self._lacing.clear()
        self._body.clear()
        self._granule = NO_PACKET_ENDS_HERE
        self._packets = 0
        self._continued = False


def packets(stream: Iterable[Page]) -> Iterator[tuple[bytes, Page]]:
    """The packets of one stream's pages, each with the page that it ends on. Incomplete packets are left out.

    Of a packet longer than any sound's, the beginning is given.
    """
    part: bytearray | None = None
    for page in stream:
        if not page.is_continued:
            part = None
        skip_rest = page.is_continued and part is None
        for piece, ends in page.packets():
            whole = bytearray() if part is None else part
            whole += piece[: LONGEST_PACKET - len(whole)]
            part = None if ends else whole
            if ends and not skip_rest:
                yield bytes(whole), page
            skip_rest = skip_rest and not ends
        if skip_rest:
            part = None


def _header(flags: int, granule: int, serial: int, sequence: int) -> bytes:
    """A page's header up to its checksum."""
    return b"".join(
        (
            CAPTURE,
            bytes([0, flags]),
            granule.to_bytes(8, "little", signed=True),
            serial.to_bytes(4, "little"),
            sequence.to_bytes(4, "little"),
        )
    )


def _packed(header: bytes, lacing: bytes | bytearray, body: bytes | bytearray) -> bytes:
    rest = bytes([len(lacing)]) + lacing + body
    return header + _checksum(header + bytes(4) + rest) + rest


def _next_capture(reader: BinaryIO, position: int) -> int | None:
    reader.seek(position)
    block = b""
    size = _SEARCHED_AT_FIRST
    while more := reader.read(size):
        size = min(4 * size, _SEARCHED_AT_ONCE)
        block = block[-3:] + more
        found = block.find(CAPTURE)
        if found >= 0:
            return reader.tell() - len(block) + found
    return None


def _checksum(page: bytes) -> bytes:
    # Ogg's CRC-32 has zlib's polynomial, but takes bits in the opposite order and starts from zero. With the bits of
    # its input and of its result reversed, zlib's fast CRC can be used.
    reflected = zlib.crc32(page.translate(_BITS_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return reflected.to_bytes(4, "big").translate(_BITS_REVERSED)
