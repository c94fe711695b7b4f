"""Recognizes audio containers by their bytes alone; names and content types are ignored."""

# ruff: noqa: PLR2004 - the numbers here are the format's own, as its specification writes them

from enum import Enum
from typing import BinaryIO

from adapters.audio import flac, mpeg_frames, ogg
from adapters.audio.signatures import not_audio_by_its_beginning

__all__ = ["Container", "container_of", "format_not_read", "not_audio_by_its_beginning", "size_of_tags"]

_HEAD_SIZE = 4096
_MATROSKA_MAGIC = b"\x1a\x45\xdf\xa3"
_QUICKTIME_FIRST_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip")


class Container(Enum):
    """A kind of file, with the demuxer that reads it."""

    OGG = "ogg"
    WAV = "wav"
    FLAC = "flac"
    MP3 = "mp3"
    ADTS = "aac"
    MP4 = "mov"
    MATROSKA = "matroska"

    @property
    def demuxer(self) -> str:
        return self.value

    @property
    def is_bare_frames(self) -> bool:
        """Whether it has no header of its own: any frame may be the first."""
        return self in (Container.MP3, Container.ADTS)


_NOT_READ = {
    b"#!AMR": "AMR",
    b"caff": "Core Audio (CAF)",
    b".snd": "Sun audio",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "Windows Media",
}


def container_of(reader: BinaryIO, size_bytes: int) -> Container | None:
    """The container of the file at the reader's start; None when it is not one that this service reads."""
    reader.seek(0)
    head = reader.read(_HEAD_SIZE)
    if ogg.begins_stream(head):
        return Container.OGG
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return Container.WAV
    if head[:4] == _MATROSKA_MAGIC and (b"webm" in head[:96] or b"matroska" in head[:96]):
        return Container.MATROSKA
    if _begins_mp4(head, size_bytes):
        return Container.MP4
    return _after_tags(reader, size_bytes)


def format_not_read(head: bytes) -> str | None:
    """The name of an audio format that is recognized but not read, for a helpful error message."""
    if head[:4] == b"FORM" and head[8:11] == b"AIF":
        return "AIFF"
    return next((name for magic, name in _NOT_READ.items() if head.startswith(magic)), None)


def size_of_tags(reader: BinaryIO) -> int:
    """Size in bytes of the ID3v2 tags at the start of a file."""
    position = 0
    while True:
        reader.seek(position)
        size = mpeg_frames.size_of_id3(reader.read(10))
        if not size:
            return position
        position += size


def _begins_mp4(head: bytes, size_bytes: int) -> bool:
    if len(head) < 8:
        return False
    size, name = int.from_bytes(head[:4], "big"), head[4:8]
    if name == b"ftyp":
        return 8 <= size <= size_bytes
    return name in _QUICKTIME_FIRST_BOXES and (size in (0, 1) or size >= 8)


def _after_tags(reader: BinaryIO, size_bytes: int) -> Container | None:
    position = size_of_tags(reader)
    reader.seek(position)
    head = reader.read(42)
    if head[:4] == flac.MAGIC:
        is_streaminfo = len(head) == 42 and head[4] & 0x7F == 0 and head[5:8] == b"\0\0\x22"
        return Container.FLAC if is_streaminfo and flac.StreamInfo.of(head[8:]) else None
    frame = mpeg_frames.first_frame(reader, position, size_bytes)
    if frame is None:
        return None
    return Container.MP3 if frame.format.codec == "mp3" else Container.ADTS
