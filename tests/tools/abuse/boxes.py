"""Recordings that cost far more to read than to send: tiny parts by the million, pictures and tags without end.

Each attacks the memory or the time of a worker process, in one format. `HOSTILE` names those that can be made in any
size; `mp4_claimed_samples` makes a file of some kilobytes for which FFmpeg takes any amount of memory.
"""

import base64
import struct
import zlib
from collections.abc import Callable
from itertools import count
from typing import Final

from tests.adapters.audio import samples
from tests.adapters.audio.samples import encoded, tone, wav

_RATE: Final = 16_000
_LARGEST_BLOCK: Final = (1 << 24) - 1


def _sound(kind: str) -> bytes:
    return encoded(kind, tone(_RATE // 2, rate=_RATE), rate=_RATE)


# MP4: ISO/IEC 14496-12. The index (moov) is the last box, so that what grows in it moves no sound.


def box(name: bytes, content: bytes = b"") -> bytes:
    """A box of an MP4 file, with what it holds."""
    return (8 + len(content)).to_bytes(4, "big") + name + content


def mp4_tiny_boxes(size_bytes: int) -> bytes:
    """Empty boxes behind a whole file: a reader that visits each takes a second for every megabyte."""
    return _sound(samples.M4A) + box(b"free") * (size_bytes // 8)


def mp4_tiny_fragments(size_bytes: int) -> bytes:
    """Empty fragments: FFmpeg notes each in a table."""
    return _sound(samples.M4A) + box(b"moof") * (size_bytes // 8)


def mp4_tiny_boxes_in_the_index(size_bytes: int) -> bytes:
    """Empty boxes inside the index, which our own readers pass over and FFmpeg visits one by one."""
    return _with_more_index(box(b"free") * (size_bytes // 8))


def mp4_tracks(size_bytes: int) -> bytes:
    """Tracks with nothing in them."""
    return _with_more_index(box(b"trak") * (size_bytes // 8))


def mp4_claimed_samples(memory_bytes: int) -> bytes:
    """A file of some kilobytes whose index claims so many samples that FFmpeg's table of them takes so much memory.

    One table takes at most 240 MB: for more, there are more tracks.
    """
    content = _sound(samples.M4A)
    at = content.index(b"moov") - 4
    track_at = content.index(b"trak") - 4
    track = content[track_at : track_at + int.from_bytes(content[track_at : track_at + 4], "big")]
    wanted = memory_bytes // _TABLE_ENTRY_BYTES
    tables = [min(wanted - before, _MOST_ENTRIES) for before in range(0, wanted, _MOST_ENTRIES)]
    tracks = b"".join(_claiming(track, entries, number) for number, entries in enumerate(tables, start=2))
    size = int.from_bytes(content[at : at + 4], "big") - len(track) + len(tracks)
    return (
        content[:at] + size.to_bytes(4, "big") + content[at + 4 : track_at] + tracks + content[track_at + len(track) :]
    )


_TABLE_ENTRY_BYTES: Final = 24
_MOST_ENTRIES: Final = 10_000_000
_PARENTS: Final = (b"trak", b"mdia", b"minf", b"stbl")


def _claiming(boxes: bytes, entries: int, number: int) -> bytes:
    """A track's boxes, with tables in them that say of one chunk that so many samples of a byte are in it."""
    made, position = b"", 0
    while position < len(boxes):
        size, name = int.from_bytes(boxes[position : position + 4], "big"), boxes[position + 4 : position + 8]
        content = boxes[position + 8 : position + size]
        if name in _PARENTS:
            content = _claiming(content, entries, number)
        elif name == b"tkhd":
            content = content[:12] + number.to_bytes(4, "big") + content[16:]
        elif name == b"stts":
            content = struct.pack(">IIIIII", 0, 2, 1, 2, entries - 1, 1)
        elif name == b"stsc":
            content = struct.pack(">IIIII", 0, 1, 1, entries, 1)
        elif name == b"stsz":
            content = struct.pack(">III", 0, 1, entries)
        made += box(name, content) if name not in _LEFT_OUT else b""
        position += size
    return made


_LEFT_OUT: Final = (b"edts", b"sgpd", b"sbgp")


def mp4_picture(size_bytes: int) -> bytes:
    """A cover picture, as iTunes adds one: FFmpeg reads it into memory, and copies it."""
    data = box(b"data", struct.pack(">II", 13, 0) + _noise(size_bytes))
    return with_itunes_items(box(b"covr", data))


def mp4_tags(size_bytes: int) -> bytes:
    """Tags of different names: FFmpeg compares each with all before it."""
    return with_itunes_items(_many(_mp4_tag, size_bytes))


def _mp4_tag(number: int) -> bytes:
    name = b"K%d" % number
    return box(
        b"----",
        box(b"mean", bytes(4) + b"com") + box(b"name", bytes(4) + name) + box(b"data", struct.pack(">II", 1, 0) + b"v"),
    )


def with_itunes_items(items: bytes) -> bytes:
    """A whole file with these notes in its index, as iTunes writes them."""
    return _with_more_index(_itunes(items))


def _itunes(items: bytes) -> bytes:
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    return box(b"udta", box(b"meta", bytes(4) + handler + box(b"ilst", items)))


def _with_more_index(more: bytes) -> bytes:
    content = _sound(samples.M4A)
    at = content.index(b"moov") - 4
    size = int.from_bytes(content[at : at + 4], "big")
    if at + size != len(content):
        raise AssertionError("the index is not the last box")
    return content[:at] + (size + len(more)).to_bytes(4, "big") + content[at + 4 :] + more


# ID3v2 (id3.org), in front of MP3 and inside WAV and AIFF.


def mp3_picture(size_bytes: int) -> bytes:
    """A picture in an ID3 tag."""
    return _id3(_picture_frame(size_bytes)) + _sound(samples.MP3)


def mp3_tags(size_bytes: int) -> bytes:
    """Text frames of different names in an ID3 tag: FFmpeg compares each with all before it."""
    return with_tags_in_front(_sound(samples.MP3), size_bytes)


def flac_behind_tags(size_bytes: int) -> bytes:
    """The same in front of FLAC."""
    return with_tags_in_front(_sound(samples.FLAC), size_bytes)


def with_tags_in_front(content: bytes, size_bytes: int) -> bytes:
    """A file behind an ID3 tag of so many bytes."""
    frames = _many(_text_frame, size_bytes - 10)
    return _id3(frames + bytes(size_bytes - 10 - len(frames))) + content


def _picture_frame(size_bytes: int) -> bytes:
    return _id3_frame(b"APIC", b"\0image/png\0\x03\0" + _noise(size_bytes))


def _text_frame(number: int) -> bytes:
    return _id3_frame(b"TXXX", b"\0K%d\0v" % number)


def _id3_frame(name: bytes, content: bytes) -> bytes:
    return name + _syncsafe(len(content)) + bytes(2) + content


def _id3(frames: bytes) -> bytes:
    return b"ID3\x04\0\0" + _syncsafe(len(frames)) + frames


def _syncsafe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


# FLAC: RFC 9639.


def flac_pictures(size_bytes: int) -> bytes:
    """Pictures as large as a block may be, one after another: FFmpeg makes a stream of each."""
    room = min(size_bytes, _LARGEST_BLOCK - 64)
    return _with_more_blocks(_flac_block(6, _flac_picture(_noise(room))) * max(1, size_bytes // room))


def flac_tags(size_bytes: int) -> bytes:
    """Comments of different names: FFmpeg compares each with all before it."""
    return _with_more_blocks(_flac_block(4, _comments(min(size_bytes, _LARGEST_BLOCK - 64))))


def flac_empty_blocks(size_bytes: int) -> bytes:
    """Metadata blocks with nothing in them."""
    return _with_more_blocks(_flac_block(1, b"") * (size_bytes // 4))


def _with_more_blocks(blocks: bytes) -> bytes:
    content = _sound(samples.FLAC)
    return content[:42].replace(b"fLaC\x80", b"fLaC\0") + blocks + content[42:]


def _flac_block(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + len(content).to_bytes(3, "big") + content


def _flac_picture(picture: bytes) -> bytes:
    name = b"image/png"
    return struct.pack(">II", 3, len(name)) + name + struct.pack(">IIIIII", 0, 600, 600, 24, 0, len(picture)) + picture


def _comments(size_bytes: int) -> bytes:
    found = _many(lambda number: _sized(b"K%d=v" % number), size_bytes)
    number = sum(1 for _ in _names_within(lambda number: _sized(b"K%d=v" % number), size_bytes))
    return _sized(b"writer") + struct.pack("<I", number) + found


def _sized(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


# Ogg: RFC 3533, with Opus: RFC 7845.


def ogg_picture(size_bytes: int) -> bytes:
    """A picture in an Ogg file's comments, in base64: FFmpeg holds it four times over."""
    picture = b"METADATA_BLOCK_PICTURE=" + base64.b64encode(_flac_picture(_noise(size_bytes * 3 // 4)))
    return _with_comment(_sized(b"writer") + struct.pack("<I", 1) + _sized(picture))


def ogg_tags(size_bytes: int) -> bytes:
    """Comments of different names in an Ogg file."""
    return _with_comment(_comments(size_bytes))


def ogg_streams(size_bytes: int) -> bytes:
    """Streams with nothing in them that play together: all begin before any goes on."""
    pages = ogg_pages(_sound(samples.OGG_OPUS))
    more = (_page(b"OpusHead\1\1\0\0\x80\xbb\0\0\0\0\0", serial=serial, flags=2) for serial in range(9, 1 << 30))
    streams, size = [], 0
    for page in more:
        size += len(page)
        if size > size_bytes:
            break
        streams.append(page)
    return b"".join([pages[0], *streams, *pages[1:]])


def ogg_pages(content: bytes) -> list[bytes]:
    """An Ogg file's pages."""
    pages, position = [], 0
    while position < len(content):
        lacing = content[position + 27 : position + 27 + content[position + 26]]
        end = position + 27 + len(lacing) + sum(lacing)
        pages.append(content[position:end])
        position = end
    return pages


def _with_comment(comment: bytes) -> bytes:
    first, _, *sound = ogg_pages(_sound(samples.OGG_OPUS))
    serial = int.from_bytes(first[14:18], "little")
    packet = b"OpusTags" + comment
    parts = [packet[at : at + 255 * 255] for at in range(0, len(packet), 255 * 255)]
    pages = [
        _page(part, serial=serial, flags=bool(number), goes_on=number + 1 < len(parts))
        for number, part in enumerate(parts)
    ]
    return b"".join([first, *pages, *sound])


def _page(body: bytes, *, serial: int, flags: int, goes_on: bool = False) -> bytes:
    lacing = b"\xff" * (len(body) // 255) + (b"" if goes_on else bytes([len(body) % 255]))
    granule = -1 if goes_on else 0
    header = b"OggS\0" + bytes([flags]) + struct.pack("<qIII", granule, serial, 1, 0)
    page = header + bytes([len(lacing)]) + lacing + body
    return page[:22] + _ogg_checksum(page) + page[26:]


_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _ogg_checksum(page: bytes) -> bytes:
    reflected = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return reflected.to_bytes(4, "big").translate(_REVERSED)


# Matroska: RFC 9559.


def webm_picture(size_bytes: int) -> bytes:
    """An attachment."""
    attached = (
        element("466e", b"cover.png")
        + element("4660", b"image/png")
        + element("46ae", b"\1")
        + element("465c", _noise(size_bytes))
    )
    return _with_more_elements(element("1941a469", element("61a7", attached)))


def webm_tags(size_bytes: int) -> bytes:
    """Tags of different names."""
    return _with_more_elements(element("1254c367", element("7373", _many(_simple_tag, size_bytes))))


def webm_tiny_elements(size_bytes: int) -> bytes:
    """Elements of two bytes with nothing in them."""
    return _with_more_elements(b"\xec\x80" * (size_bytes // 2))


def webm_tracks(size_bytes: int) -> bytes:
    """Tracks with nothing in them: two bytes, for which FFmpeg takes a thousand."""
    return _with_more_elements(element("1654ae6b", b"\xae\x80" * (size_bytes // 2)))


def element(identifier: str, content: bytes) -> bytes:
    """An element of a Matroska file, with its identifier in hex."""
    return bytes.fromhex(identifier) + (1 << 56 | len(content)).to_bytes(8, "big") + content


def _simple_tag(number: int) -> bytes:
    return element("67c8", element("45a3", b"K%d" % number) + element("4487", b"v"))


def _with_more_elements(more: bytes) -> bytes:
    """In front of the first cluster of a live recording, whose segment has no size."""
    content = encoded(samples.WEBM, tone(_RATE // 2, rate=_RATE), rate=_RATE, can_seek=False)
    at = content.index(b"\x1f\x43\xb6\x75")
    return content[:at] + more + content[at:]


# RIFF, AIFF and CAF.


def wav_notes(size_bytes: int) -> bytes:
    """Notes of different names (LIST INFO) in front of a WAV's sound."""
    return _with_more_chunks(_chunk(b"LIST", b"INFO" + _many(_info_chunk, size_bytes)))


def wav_picture(size_bytes: int) -> bytes:
    """An ID3 tag with a picture in front of a WAV's sound."""
    return _with_more_chunks(_chunk(b"id3 ", _id3(_picture_frame(size_bytes))))


def wav_tags(size_bytes: int) -> bytes:
    """An ID3 tag with text frames of different names in front of a WAV's sound."""
    return _with_more_chunks(_chunk(b"id3 ", _id3(_many(_text_frame, size_bytes))))


def wav_tiny_chunks(size_bytes: int) -> bytes:
    """Chunks with nothing in them."""
    return _with_more_chunks(_chunk(b"JUNK", b"") * (size_bytes // 8))


def aiff_picture(size_bytes: int) -> bytes:
    """An ID3 tag with a picture in an AIFF."""
    content = _sound("aiff pcm_s16be")
    more = _id3(_picture_frame(size_bytes))
    more = b"ID3 " + len(more).to_bytes(4, "big") + more + bytes(len(more) % 2)
    return content[:4] + (int.from_bytes(content[4:8], "big") + len(more)).to_bytes(4, "big") + content[8:] + more


def _with_more_chunks(more: bytes) -> bytes:
    content = wav(tone(_RATE // 2, rate=_RATE))
    size = int.from_bytes(content[4:8], "little") + len(more)
    return content[:4] + struct.pack("<I", size) + content[8:36] + more + content[36:]


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _info_chunk(number: int) -> bytes:
    return _chunk(b"%04x" % (number % (1 << 16)), b"v\0")


def _many(made: Callable[[int], bytes], size_bytes: int) -> bytes:
    return b"".join(_names_within(made, size_bytes))


def _names_within(made: Callable[[int], bytes], size_bytes: int) -> list[bytes]:
    found: list[bytes] = []
    left = size_bytes
    for number in count():
        one = made(number)
        left -= len(one)
        if left < 0:
            return found
        found.append(one)
    raise AssertionError("counting does not end")


def _noise(size_bytes: int) -> bytes:
    """Bytes of a picture. They repeat, which no reader notices."""
    return b"\x89PNG\r\n\x1a\n".ljust(64, b"\x5a") * (size_bytes // 64 + 1)


Maker = Callable[[int], bytes]
"""Makes a file of about so many bytes."""


def _named(*makers: Maker) -> dict[str, Maker]:
    return {maker.__name__: maker for maker in makers}


NOTES: Final = _named(
    mp4_picture, mp4_tags, mp3_picture, mp3_tags, flac_behind_tags, flac_pictures, flac_tags, ogg_picture, ogg_tags,
    webm_picture, webm_tags, wav_notes, wav_picture, wav_tags, aiff_picture,
)  # fmt: skip
"""Half a second of sound beside notes and pictures of any size."""

EMPTY_PARTS: Final = _named(
    mp4_tiny_boxes, mp4_tiny_fragments, mp4_tiny_boxes_in_the_index, flac_empty_blocks, webm_tiny_elements,
    wav_tiny_chunks,
)  # fmt: skip
"""Half a second of sound among parts with nothing in them."""

STREAMS: Final = _named(mp4_tracks, ogg_streams, webm_tracks)
"""Streams with nothing in them."""

HOSTILE: Final = NOTES | EMPTY_PARTS | STREAMS
