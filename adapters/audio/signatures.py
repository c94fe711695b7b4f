"""Names what bytes are that no recording can be made of: documents, pictures, and sound that this service cannot read.

Each is told by its first bytes. A slice of a recording may begin with any bytes at all, so a name is only given for a
long signature, or for a short one whose neighbours also fit.
"""

# ruff: noqa: PLR2004 - the numbers here are the formats' own, as their specifications write them

import re
from typing import cast

BEGINNING_SIZE = 1024
"""As many bytes of a chunk's beginning as are looked at."""

_SIGNATURES = {
    b"%PDF-": "a PDF document",
    b"%!PS-Adobe": "a PostScript document",
    b"{\\rtf1": "an RTF document",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "a Microsoft Office document",
    b"\x89PNG\r\n\x1a\n": "a PNG picture",
    b"GIF87a": "a GIF picture",
    b"GIF89a": "a GIF picture",
    b"II*\0\x08\0\0\0": "a TIFF picture",
    b"MM\0*\0\0\0\x08": "a TIFF picture",
    b"8BPS\0\x01\0\0\0\0\0\0": "a Photoshop picture",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\xfd7zXZ\0": "an xz archive",
    b"PK\x05\x06" + bytes(16): "a ZIP archive",
    b"SQLite format 3\0": "an SQLite database",
    b"bplist00": "a property list",
    b"\x7fELF\x01\x01\x01": "a program",
    b"\x7fELF\x02\x01\x01": "a program",
    b"\xcf\xfa\xed\xfe\x07\0\0\x01": "a program",
    b"\xcf\xfa\xed\xfe\x0c\0\0\x01": "a program",
    b"#!/bin/": "a program",
    b"#!/usr/bin/": "a program",
    b"MThd\0\0\0\x06": "a MIDI file",
}
_PATTERNS = (
    (re.compile(rb"\xff\xd8\xff[\xe0-\xef]..(?:JFIF|Exif|Adobe|ICC_PROFILE|http://)\0?", re.DOTALL), "a JPEG picture"),
    (re.compile(rb"\xff\xd8\xff\xdb\x00[\x43\x84][\x00-\x03]"), "a JPEG picture"),
    (re.compile(rb"RIFF.{4}WEBPVP8[ LX]", re.DOTALL), "a WebP picture"),
    (re.compile(rb"BM.{4}\0{4}.{3}\0[\x0c\x28\x38\x40\x6c\x7c]\0{3}", re.DOTALL), "a BMP picture"),
    (
        re.compile(rb".{4}ftyp(?:heic|heix|hevc|heim|heis|mif1|msf1|avif|avis)", re.DOTALL),
        "a HEIF or AVIF picture",
    ),
    # A local file header: version, flags, method and the length of a name that is there.
    (re.compile(rb"PK\x03\x04[\x00-\x3f]\0.[\x00-\x0f][\x00\x08\x09\x0c\x0e\x5d\x63]\0", re.DOTALL), "a ZIP archive"),
    (re.compile(rb"\x1f\x8b\x08[\x00-\x1f].{4}[\x00\x02\x04][\x00-\x0d\xff]", re.DOTALL), "a gzip archive"),
    (re.compile(rb"BZh[1-9]1AY&SY"), "a bzip2 archive"),
    (re.compile(rb"MZ.{58}[\x40-\xff][\x00-\x03]\0\0.*?PE\0\0", re.DOTALL), "a program"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html[\s>]|head>|body[\s>])", re.IGNORECASE), "an HTML page"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\s"), "an XML document"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<svg[\s>]"), "an SVG picture"),
    (re.compile(rb"(?:\r\n)?--[!-~ ]{1,70}\r?\nContent-[!-9;-~]{1,40}:", re.IGNORECASE), "a multipart form"),
    (re.compile(rb"HTTP/[12](?:\.[01])? [1-5]\d\d[ \r\n]"), "an HTTP answer"),
    (
        re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\[\s*)*\{\s*\"[^\"\x00-\x1f]{1,200}\"\s*:\s*[\"\[{0-9tfn-]"),
        "a JSON document",
    ),
    (re.compile(rb"data:[a-z]{1,20}/[a-z0-9.+-]{1,40}[;,]"), "a data URL (decode its base64 first)"),
)
_NOT_READ = {
    b"\x02#!SILK": "SILK (WeChat)",
    b"#!SILK": "SILK (Skype, QQ or WeChat)",
    b"\x02dss": "DSS (Olympus dictation)",
    b"\x03dss": "DSS (Olympus dictation)",
    b"\x03ds2": "DS2 (Olympus dictation)",
    b"\x07ds2": "DS2 (Olympus dictation)",
    b".RMF\0\0\0": "RealMedia",
    b".ra\xfd\0": "RealAudio",
    b"DSD \x1c\0\0\0": "DSF (Direct Stream Digital)",
    b"FRM8\0\0\0": "DSDIFF (Direct Stream Digital)",
    b"MPCK": "Musepack",
    b"MP+\x07": "Musepack",
    b"MP+\x17": "Musepack",
    b"ajkg\x02": "Shorten",
    b"tBaK": "TAK",
    b"OFR ": "OptimFROG",
    b"Creative Voice File\x1a": "Creative Voice (VOC)",
    b"NIST_1A\n   1024\n": "NIST SPHERE",
    b"#!EVC_MIME": "EVS",
    b"#!EVS_MIME": "EVS",
    b"#!EVRC": "EVRC",
    b"#!QCELP": "QCELP",
    b"IMPM": "Impulse Tracker",
    b"Extended Module: ": "Extended Module",
}
_NOT_READ_PATTERNS = (
    (re.compile(rb"RIFF.{4}QLCMfmt ", re.DOTALL), "QCP (Qualcomm)"),
    (re.compile(rb"FORM.{4}8SVX", re.DOTALL), "8SVX"),
    (re.compile(rb".{4}ftypaa(?:x|xc) ", re.DOTALL), "AAX (Audible), which is encrypted"),
    (re.compile(rb"Speex   1\.[0-9]", re.DOTALL), "Speex without Ogg around it"),
)
_SHORTEST_TEXT = 64
_LONGEST_WORD_ON_AVERAGE = 16


def not_audio_by_its_beginning(head: bytes) -> str | None:
    """What a chunk is that cannot be audio, such as "a PDF document"; None if it may be audio, whole or in slices.

    `head`: the chunk's first bytes, `BEGINNING_SIZE` of them if there are as many.
    """
    head = head[:BEGINNING_SIZE]
    found = _NO_AUDIO.match(head)
    if found is not None:
        return _NAMES[cast("int", found.lastindex) - 1]
    return "text" if _is_text(head) else None


def _flagged(pattern: "re.Pattern[bytes]") -> bytes:
    flags = b"".join(letter for flag, letter in ((re.DOTALL, b"s"), (re.IGNORECASE, b"i")) if pattern.flags & flag)
    return b"(?%s:%s)" % (flags, pattern.pattern)


# One expression for all of them: each chunk is looked at, and nearly none matches. The patterns have no groups.
_NO_AUDIO = re.compile(
    b"|".join(b"(%s)" % each for each in (*map(re.escape, _SIGNATURES), *(_flagged(each) for each, _ in _PATTERNS)))
)
_NAMES = (*_SIGNATURES.values(), *(name for _, name in _PATTERNS))


def format_not_read(head: bytes) -> str | None:
    """The name of a format that holds sound but is not read here, such as "SILK (WeChat)"; None for all others."""
    for magic, name in _NOT_READ.items():
        if head.startswith(magic):
            return name
    for pattern, name in _NOT_READ_PATTERNS:
        if pattern.match(head):
            return name
    return None


def _is_text(head: bytes) -> bool:
    """Whether all of it is words. Telephone codecs' silence and MP3's padding are letters too, but no words."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    if len(text) < _SHORTEST_TEXT or not all(character.isprintable() or character in "\t\r\n" for character in text):
        return False
    words = text.split()
    letters = sum(character.isalnum() or character.isspace() for character in text)
    return (
        len(words) >= 4
        and len(set(text)) >= 12
        and len(text) <= _LONGEST_WORD_ON_AVERAGE * len(words)
        and 4 * letters >= 3 * len(text)
    )
