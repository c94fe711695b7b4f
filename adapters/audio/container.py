"""Recognizes audio containers by their bytes alone; names and content types are ignored."""

# ruff: noqa: PLR2004 - the numbers here are the format's own, as its specification writes them

from enum import Enum
from typing import BinaryIO

from adapters.audio import ac3, flac, mpeg_frames, mpeg_ts, nested_boxes, ogg
from adapters.audio.budget import Budget
from adapters.audio.signatures import format_not_read, not_audio_by_its_beginning

__all__ = ["Container", "container_of", "format_not_read", "not_audio_by_its_beginning", "size_of_tags"]

_HEAD_SIZE = 4096
_SHORTEST_HEAD = 4
_MOST_TAGS = 16
_MATROSKA_MAGIC = b"\x1a\x45\xdf\xa3"
_FIRST_BLOCK_OF_ITS_TIME = 0x800
_QUICKTIME_FIRST_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


class Container(Enum):
    """A kind of file, with the demuxer that reads it."""

    OGG = "ogg"
    WAV = "wav"
    FLAC = "flac"
    MP3 = "mp3"
    ADTS = "aac"
    MP4 = "mov"
    MATROSKA = "matroska"
    W64 = "w64"
    AIFF = "aiff"
    CAF = "caf"
    AU = "au"
    AMR = "amr"
    MPEG_TS = "mpegts"
    MPEG_PS = "mpeg"
    ASF = "asf"
    AVI = "avi"
    FLV = "flv"
    AC3 = "ac3"
    EAC3 = "eac3"
    WAVPACK = "wv"
    APE = "ape"
    TTA = "tta"

    @property
    def demuxer(self) -> str:
        return self.value

    @property
    def is_bare_frames(self) -> bool:
        """Whether it has no header of its own: any frame may be the first."""
        return self in (Container.MP3, Container.ADTS)


CONTENT_TYPES = {
    Container.OGG: "audio/ogg",
    Container.WAV: "audio/wav",
    Container.FLAC: "audio/flac",
    Container.MP3: "audio/mpeg",
    Container.ADTS: "audio/aac",
    Container.MP4: "audio/mp4",
    Container.MATROSKA: "audio/webm",
}
"""The containers that are kept as they are. Recordings in others become FLAC, which more players play."""

_BY_MAGIC = {
    b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00": Container.W64,
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c": Container.ASF,
    b"#!AMR\n": Container.AMR,
    b"#!AMR-WB\n": Container.AMR,
    b"caff\x00\x01\x00\x00": Container.CAF,
    b"MAC \x96\x0f": Container.APE,
    b"MAC \x8c\x0f": Container.APE,
    b"TTA1\x01\x00": Container.TTA,
}

MAGICS = (
    (b"WAVE", 8),
    (_MATROSKA_MAGIC, 0),
    (b"ftyp", 4),
    (b"fLaC", 0),
    (b"OggS\x00\x02", 0),
    (b"#!AMR", 0),
    (b"AIFF", 8),
    (b"AIFC", 8),
    (b"AVI LIST", 8),
    (b"caff\x00\x01\x00\x00", 0),
    (b"riff\x2e\x91\xcf\x11", 0),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0),
    (b"FLV\x01", 0),
    (b".snd\x00\x00", 0),
    (b"wvpk", 0),
    (b"MAC \x96\x0f", 0),
    (b"TTA1\x01\x00", 0),
    (b"ID3\x02\x00", 0),
    (b"ID3\x03\x00", 0),
    (b"ID3\x04\x00", 0),
    # The note that an MP3 encoder leaves stands behind side information of one of three sizes.
    *((note, offset) for note in (b"Xing", b"Info") for offset in (36, 21, 13)),
)
"""What the beginning of a file with a long header holds, and how many bytes stand in front of it."""


def container_of(
    reader: BinaryIO,
    size_bytes: int,
    budget: Budget | None = None,
    *,
    search_bytes: int = mpeg_frames.SEARCHED_FOR_A_BEGINNING,
) -> Container | None:
    """The container of the file at the reader's start; None when it is not one that this service reads.

    `search_bytes`: how far in the first bare frame may be, behind a damaged start. `budget`: None for one of its own.
    """
    known = container_by_header(reader, size_bytes)
    if known is not None:
        return known
    reader.seek(0)
    head = reader.read(_HEAD_SIZE)
    found = (
        ac3.container_name(head, size_bytes)
        or mpeg_ts.container_name(head)
        or _frames_name(reader, size_bytes, budget, search_bytes)
    )
    return None if found is None else Container(found)


def container_by_header(reader: BinaryIO, size_bytes: int) -> Container | None:
    """The container, if the file begins with a header so long that sound does not look like it by chance."""
    reader.seek(0)
    head = reader.read(_HEAD_SIZE)
    if len(head) < _SHORTEST_HEAD:
        return None
    if ogg.begins_stream(head):
        return Container.OGG
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return Container.WAV
    if head[:4] == _MATROSKA_MAGIC and (b"webm" in head[:96] or b"matroska" in head[:96]):
        return Container.MATROSKA
    if _begins_mp4(head, size_bytes):
        return Container.MP4
    if head[:4] == b"fLaC" or head[:3] == b"ID3":
        return Container.FLAC if _begins_flac(reader, size_of_tags(reader)) else None
    return _by_magic(head)


def size_of_tags(reader: BinaryIO) -> int:
    """Size in bytes of the ID3v2 tags at the start of a file."""
    position = 0
    for _ in range(_MOST_TAGS):
        reader.seek(position)
        size = mpeg_frames.size_of_id3(reader.read(10))
        if not size:
            break
        position += size
    return position


def first_frame_of(
    reader: BinaryIO,
    size_bytes: int,
    budget: Budget | None = None,
    search_bytes: int = mpeg_frames.SEARCHED_FOR_A_BEGINNING,
) -> mpeg_frames.Frame | None:
    """The first frame of a file of bare MPEG frames. Tags, zeros or the end of a cut-off frame may stand before it.

    It is looked for in the first `search_bytes`, not counting tags; in what says that it is something else, it is not.
    """
    position = size_of_tags(reader)
    frame = mpeg_frames.first_frame(reader, position, size_bytes)
    if frame is not None or not search_bytes:
        return frame
    reader.seek(0)
    head = reader.read(_HEAD_SIZE)
    if not_audio_by_its_beginning(head) or format_not_read(head) or middle_of(head):
        return None
    budget = budget or Budget.of(size_bytes)
    found = None
    if position:
        found = mpeg_frames.next_frame(
            reader, position, size_bytes, budget, within=mpeg_frames.SEARCHED_FOR_A_BEGINNING
        )
    return found or mpeg_frames.next_frame(reader, 0, size_bytes, budget, within=search_bytes)


def middle_of(head: bytes) -> str | None:
    """The kind of file, "an Ogg" for instance, that bytes are the middle of, if they begin with a part of its own."""
    if ogg.begins_page(head) and not ogg.begins_stream(head):
        return "an Ogg"
    if nested_boxes.begins_cluster(head):
        return "a WebM"
    if nested_boxes.begins_fragment(head):
        return "an MP4"
    return "a FLAC" if flac.frame_header(head[:16]) is not None else None


def _begins_mp4(head: bytes, size_bytes: int) -> bool:
    if len(head) < 8:
        return False
    size, name = int.from_bytes(head[:4], "big"), head[4:8]
    if name == b"ftyp":
        return 8 <= size <= size_bytes and not not_audio_by_its_beginning(head) and not format_not_read(head)
    return name in _QUICKTIME_FIRST_BOXES and (size in (0, 1) or size >= 8)


def _begins_flac(reader: BinaryIO, position: int) -> bool:
    reader.seek(position)
    head = reader.read(42)
    is_streaminfo = head[:4] == flac.MAGIC and len(head) == 42 and head[4] & 0x7F == 0 and head[5:8] == b"\0\0\x22"
    return is_streaminfo and flac.StreamInfo.of(head[8:]) is not None


def begins_wavpack(head: bytes) -> bool:
    """Whether the first block of a WavPack file begins here; every later one begins with the same magic."""
    is_first_sample = head[10] == 0 and head[16:20] == bytes(4)
    return is_first_sample and bool(int.from_bytes(head[24:28], "little") & _FIRST_BLOCK_OF_ITS_TIME)


def _by_magic(head: bytes) -> Container | None:
    for magic, container in _BY_MAGIC.items():
        if head.startswith(magic):
            return container
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Container.AIFF
    if head[:4] == b"RIFF" and head[8:16] == b"AVI LIST":
        return Container.AVI
    if head[:4] == b"FLV\x01" and head[4:5] in (b"\x01", b"\x04", b"\x05") and head[5:9] == b"\0\0\0\x09":
        return Container.FLV
    if head[:4] == b".snd" and _is_sun_audio(head):
        return Container.AU
    if head[:4] == b"wvpk" and len(head) >= 32 and head[9] == 4 and 24 <= int.from_bytes(head[4:8], "little") < 1 << 24:
        return Container.WAVPACK
    if head[:4] == b"\0\0\x01\xba" and (head[4:5] and (head[4] & 0xC4 == 0x44 or head[4] & 0xF1 == 0x21)):
        return Container.MPEG_PS
    return None


def _is_sun_audio(head: bytes) -> bool:
    offset, _, encoding, rate, channels = (int.from_bytes(head[at : at + 4], "big") for at in range(4, 24, 4))
    return 24 <= offset < 1 << 20 and 1 <= encoding <= 27 and 1000 <= rate <= 768_000 and 1 <= channels <= 32


def _frames_name(reader: BinaryIO, size_bytes: int, budget: Budget | None, search_bytes: int) -> str | None:
    frame = first_frame_of(reader, size_bytes, budget, search_bytes)
    return None if frame is None else frame.format.codec
