"""Stitched files play in other programs: FFmpeg's own command line has nothing to say, wherever it begins."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from adapters.audio.stitching import stitch
from tests.adapters.audio import samples
from tests.adapters.audio.every_kind import EVERY_KIND, Kind
from tests.adapters.audio.listening import noise
from tests.adapters.audio.real_life import (
    Edit,
    TrackOf,
    with_data_size,
    with_edits,
    with_gaps,
    with_list,
    with_tracks,
    with_unknown_codec,
)
from tests.adapters.audio.samples import encoded, openers, wav
from tests.tools.ffmpeg import complaints, needs_ffmpeg, told_seconds

WITHIN_SECONDS = 0.02


@pytest.fixture(autouse=True)
def _ffmpeg() -> None:
    needs_ffmpeg()


def played(chunks: list[bytes], output: Path) -> None:
    """Stitch, play from four points, and compare the durations."""
    seconds = stitch(openers(chunks), output).duration_ms / 1000
    assert complaints(output) == ""
    for start_seconds in (seconds / 3, seconds / 2, max(0.0, seconds - 0.15)):
        assert (start_seconds, complaints(output, start_seconds=start_seconds)) == (start_seconds, "")
    told = told_seconds(output)
    if told is not None and output.read_bytes()[:2] not in WITHOUT_DURATION:
        assert told == pytest.approx(seconds, abs=WITHIN_SECONDS)


WITHOUT_DURATION = (b"\xff\xf1", b"\xff\xf9")
"""ADTS: what ffprobe tells of it is a guess by its bit rate."""


@pytest.mark.parametrize("kind", EVERY_KIND, ids=str)
def test_two_files_of_a_kind_become_one_that_plays_from_anywhere(kind: Kind, tmp_path: Path) -> None:
    sounds = [
        noise(seconds, seed=number, rate=kind.rate, channels=kind.channels) for number, seconds in enumerate((0.9, 1.3))
    ]
    played([kind.made(sound) for sound in sounds], tmp_path / "stitched")


def one(seed: int = 1, *, rate: int = 16_000, channels: int = 1, seconds: float = 1.2) -> samples.Samples:
    return noise(seconds, seed=seed, rate=rate, channels=channels)


def trimmed() -> bytes:
    return with_edits(encoded(samples.M4A, one(), rate=16_000), [Edit(0.3, 0.5)])


def two_tracks(muxer: str) -> bytes:
    return with_tracks(muxer, [TrackOf("aac", 16_000, one()), TrackOf("aac", 48_000, one(2, rate=48_000), 0.7)])


def gap(kind: str, muxer: str) -> bytes:
    return with_gaps(encoded(kind, one(), rate=16_000), muxer, [(0.5, 2.0)])


REAL_LIFE: dict[str, Callable[[], list[bytes]]] = {
    "unlike rates": lambda: [wav(one(rate=8_000), rate=8_000), wav(one(2))],
    "unlike channels": lambda: [wav(one()), wav(one(2, channels=2))],
    "unlike codecs": lambda: [encoded(samples.OGG_OPUS, one(), rate=16_000), encoded(samples.MP3, one(2), rate=16_000)],
    "unlike depths": lambda: [wav(one()), encoded(samples.WAV_24, one(2), rate=16_000)],
    "trimmed, twice": lambda: [trimmed(), trimmed()],
    "two tracks in MOV, twice": lambda: [two_tracks("mov")] * 2,
    "two tracks in Matroska": lambda: [two_tracks("matroska")],
    "a track in an unknown codec": lambda: [with_unknown_codec(two_tracks("mov"), b"mp4a", track=1), wav(one())],
    "a gap in Ogg, twice": lambda: [gap(samples.OGG_OPUS, "ogg")] * 2,
    "a gap in WebM, twice": lambda: [gap(samples.WEBM, "webm")] * 2,
    "a gap in M4A, twice": lambda: [gap(samples.M4A, "ipod")] * 2,
    "two WAVs in one body": lambda: [wav(one()) + wav(one(2))],
    "two M4As in one body": lambda: [encoded(samples.M4A, one(), rate=16_000) * 2],
    "a WAV sized for its beginning": lambda: [with_data_size(wav(one()), 3_000)],
    "a WAV with a LIST too large": lambda: [with_list(wav(one()), excess=1)],
    "ADTS of two rates": lambda: [
        encoded(samples.ADTS, one(), rate=16_000) + encoded(samples.ADTS, one(2, rate=48_000), rate=48_000)
    ],
    "chained Opus, mono then stereo": lambda: [
        encoded(samples.OGG_OPUS, one(), rate=16_000) + encoded(samples.OGG_OPUS, one(2, channels=2), rate=16_000)
    ],
    "a damaged chunk among others": lambda: [
        encoded(samples.M4A, one(), rate=16_000),
        np.random.default_rng(3).bytes(4_000),
        encoded(samples.M4A, one(2), rate=16_000),
    ],
}


@pytest.mark.parametrize("name", REAL_LIFE)
def test_what_people_really_have_becomes_a_file_that_plays_from_anywhere(name: str, tmp_path: Path) -> None:
    played(REAL_LIFE[name](), tmp_path / "stitched")


def test_a_file_that_is_damaged_or_tells_another_duration_would_be_noticed(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.flac", tmp_path / "bad.flac"
    good.write_bytes(content := encoded(samples.FLAC, one(), rate=16_000))
    assert (complaints(good), told_seconds(good)) == ("", pytest.approx(1.2))
    bad.write_bytes(content[: len(content) // 2] + bytes(300) + content[len(content) // 2 + 300 :])
    assert complaints(bad) != ""
    assert complaints(bad, start_seconds=0.1) != ""
