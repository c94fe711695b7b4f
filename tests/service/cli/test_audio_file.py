"""What a file is announced as before it is uploaded."""

from pathlib import Path

import pytest

from service.cli.audio_file import codec_of, duration_ms
from service.client import ClientFailure
from tests.adapters.audio.samples import encoded, tone


@pytest.mark.parametrize(
    ("kind", "name", "codec"),
    [
        ("ipod aac", "a.m4a", "m4a"),
        ("mov aac", "a.mov", "m4a"),
        ("matroska aac", "a.mka", "webm"),
        ("mpegts aac", "a.ts", "aac"),
        ("mp3 libmp3lame", "recording", "mp3"),
        ("aiff pcm_s16be", "a.aif", "m4a"),
    ],
)
def test_any_recording_is_announced_as_something_that_the_api_knows(
    kind: str, name: str, codec: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(encoded(kind, tone(16_000, rate=16_000), rate=16_000))
    assert codec_of(file) == codec
    assert 950 <= duration_ms(file) <= 1_200


def test_what_is_no_audio_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(b"%PDF-1.7 and no sound at all")
    with pytest.raises(ClientFailure, match="cannot be read as audio"):
        codec_of(file)
