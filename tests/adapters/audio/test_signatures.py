"""What is no recording is told by its first bytes, and no slice of a recording is mistaken for it."""

import bz2
import gzip
import io
import json
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.audio.container import not_audio_by_its_beginning
from adapters.audio.signatures import BEGINNING_SIZE
from tests.adapters.audio.samples import EVERY_FORMAT, encoded, tone


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("recording.wav", bytes(1000))
    return file.getvalue()


JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + bytes(range(256))
FORM = b'------WebKitFormBoundaryX\r\nContent-Disposition: form-data; name="file"; filename="a.opus"\r\n\r\nOggS'
THINGS = {
    "a PDF document": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "a JPEG picture": JPEG,
    "a PNG picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "a GIF picture": b"GIF89a\x01\0\x01\0",
    "a WebP picture": b"RIFF\x24\0\0\0WEBPVP8 \x18\0\0\0",
    "a HEIF or AVIF picture": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "a ZIP archive": zipped(),
    "a gzip archive": gzip.compress(b"anything"),
    "an HTML page": b"<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>",
    "a JSON document": json.dumps({"error": "expired", "code": 7}).encode(),
    "an XML document": b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>',
    "a multipart form": FORM,
    "a program": b"\x7fELF\x02\x01\x01\0" + bytes(40),
    "an SQLite database": b"SQLite format 3\0\x10\0",
    "a MIDI file": b"MThd\0\0\0\x06\0\x01\0\x02\0\x60MTrk",
    "a PostScript document": b"%!PS-Adobe-3.0\n",
    "an RTF document": b"{\\rtf1\\ansi",
    "a Microsoft Office document": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16),
    "a TIFF picture": b"MM\0*\0\0\0\x08\0\x0e",
    "a Photoshop picture": b"8BPS\0\x01\0\0\0\0\0\0\0\x03",
    "a 7z archive": b"7z\xbc\xaf\x27\x1c\0\x04",
    "a RAR archive": b"Rar!\x1a\x07\x01\0",
    "an xz archive": b"\xfd7zXZ\0\0\x04",
    "a property list": b"bplist00\xd4",
    "a BMP picture": b"BM\x36\0\x0c\0" + bytes(4) + b"\x36\0\0\0\x28\0\0\0",
    "a bzip2 archive": bz2.compress(b"anything"),
    "an SVG picture": b'\xef\xbb\xbf <svg xmlns="http://www.w3.org/2000/svg">',
    "an HTTP answer": b"HTTP/1.1 403 Forbidden\r\n\r\n",
    "a data URL (decode its base64 first)": b"data:audio/ogg;base64,T2dnUw",
    "text": b"Sehr geehrte Damen und Herren, hier kommt leider keine Aufnahme, sondern nur ein Brief.\n" * 20,
}


@pytest.mark.parametrize("name", THINGS)
def test_what_cannot_be_audio_is_named(name: str) -> None:
    assert not_audio_by_its_beginning(THINGS[name]) == name


def test_a_letter_that_breaks_off_inside_a_character_is_text() -> None:
    letter = ("Grüße aus Köln, es geht mir gut und das Wetter ist schön. " * 50).encode()
    for size in range(BEGINNING_SIZE - 8, BEGINNING_SIZE + 1):
        assert not_audio_by_its_beginning(letter[:size]) == "text"


FILES = [encoded(kind, tone(40_000)) for kind in EVERY_FORMAT]


@given(st.sampled_from(FILES), st.data())
def test_no_slice_of_a_recording_is_mistaken(whole: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(whole) - 1))
    assert not_audio_by_its_beginning(whole[start : start + BEGINNING_SIZE]) is None


@pytest.mark.parametrize("byte", range(256))
def test_one_byte_again_and_again_may_be_the_silence_of_some_codec(byte: int) -> None:
    assert not_audio_by_its_beginning(bytes([byte]) * BEGINNING_SIZE) is None


def test_padding_that_encoders_sign_is_not_text() -> None:
    for sign in (b"LAME3.100", b"Lavc60.31.102", b"LAME3.99.5UUUUUUUUUUUU"):
        assert not_audio_by_its_beginning((sign * 200)[:BEGINNING_SIZE]) is None


def test_loud_telephone_sound_is_not_text() -> None:
    for amplitude in range(1, 128):
        wave = 0x40 + amplitude * np.sin(np.arange(BEGINNING_SIZE) / 7)
        assert not_audio_by_its_beginning(wave.clip(0, 255).astype(np.uint8).tobytes()) is None


def test_chance_bytes_are_not_named() -> None:
    for _ in range(20_000):
        assert not_audio_by_its_beginning(os.urandom(128)) is None
