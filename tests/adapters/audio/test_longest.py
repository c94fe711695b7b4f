"""A recording that is longer than accepted is refused by name, as soon as that is known."""

import io
import re
import struct
from datetime import timedelta
from functools import partial

import pytest

from adapters.audio import survey as survey_module
from adapters.audio.errors import TooLong
from adapters.audio.pcm import SAMPLE_BYTES, stitch_pcm
from adapters.audio.stitching import stitch
from tests.adapters.audio.samples import FLAC, WAV, WEBM, cut, encoded, tone
from tests.tools.abuse.bombs import BLOCK_SAMPLES, flac_bomb

HOUR = timedelta(hours=1)
FRAMES_PER_HOUR = 8_000 * 3600 // BLOCK_SAMPLES


@pytest.fixture
def heard(monkeypatch):
    """Every piece of sound that was decoded to be measured."""
    pieces, add = [], survey_module.HeardTrack._add
    monkeypatch.setattr(survey_module.HeardTrack, "_add", lambda its, part: (pieces.append(part), add(its, part)))
    return pieces


def openers(*files):
    return [partial(io.BytesIO, file) for file in files]


def test_a_file_that_claims_more_is_refused_before_anything_is_decoded(tmp_path, heard):
    with pytest.raises(TooLong) as caught:
        stitch(openers(flac_bomb(0.1, claims_hours=150)), tmp_path / "audio", longest=HOUR)
    assert (caught.value.reason, heard) == ("recording_too_long", [])
    assert str(caught.value) == "The recording lasts longer than 1 h, which is the longest that is accepted."
    assert not (tmp_path / "audio").exists()


def claiming(file, place, value):
    return file[:place] + value + file[place + len(value) :]


def flac_of_unknown_length():
    """As encoders write it that stream: all bits of the number of samples are ones."""
    file = encoded(FLAC, tone(2 * 48_000))
    return claiming(file, 21, bytes((file[21] | 0x0F,)) + b"\xff" * 4)


def matroska_of_absurd_length():
    file = encoded(WEBM, tone(2 * 48_000))
    return claiming(file, file.index(b"\x44\x89\x88") + 3, struct.pack(">d", 1e15))


def wave_of_unknown_size():
    """As recorders write it that stream to where they cannot go back: the largest sizes that are positive."""
    file = encoded(WAV, tone(2 * 48_000))
    return claiming(file, file.index(b"data") + 4, b"\xff\xff\xff\x7f")


@pytest.mark.parametrize("file", [flac_of_unknown_length, matroska_of_absurd_length, wave_of_unknown_size])
def test_a_length_that_nobody_can_mean_is_not_believed(tmp_path, file):
    longest = timedelta(minutes=1)
    assert stitch(openers(file()), tmp_path / "audio", longest=longest).duration_ms == pytest.approx(2000, abs=50)


def test_a_file_that_claims_nothing_is_decoded_no_further_than_is_accepted(tmp_path, heard):
    with pytest.raises(TooLong):
        stitch(openers(flac_bomb(3, claims_hours=0)), tmp_path / "audio", longest=HOUR)
    assert len(heard) <= FRAMES_PER_HOUR + 2


def test_files_are_measured_together(tmp_path, heard):
    half_an_hour = flac_bomb(0.5)
    with pytest.raises(TooLong):
        stitch(openers(*[half_an_hour] * 3), tmp_path / "audio", longest=HOUR)
    assert len(heard) <= FRAMES_PER_HOUR + 2


def test_what_lasts_as_long_as_is_accepted_is_taken(tmp_path):
    bomb = flac_bomb(0.49)
    assert stitch(openers(bomb, bomb), tmp_path / "audio", longest=HOUR).duration_ms <= 3_600_000


@pytest.mark.parametrize("is_cut", [False, True])
def test_fragments_whose_clock_began_long_before_are_as_long_as_their_sound(tmp_path, is_cut):
    """Live streams count from when their server started, or from 1970."""
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "500000"}
    live = begun_later(encoded("mp4 aac", tone(2 * 48_000), muxer_options=options), hours=50 * 365 * 24)
    slices = cut(live, len(live) // 3, len(live) // 2) if is_cut else [live]
    stitched = stitch(openers(*slices), tmp_path / "audio", longest=HOUR)
    assert (stitched.duration_ms, stitched.damage) == (pytest.approx(2000, abs=50), ())


def begun_later(file, *, hours):
    """An MP4 file in fragments, whose clock stood so late when it began."""
    changed = bytearray(file)
    for found in re.finditer(rb"tfdt\x01", file):
        place = slice(found.start() + 8, found.start() + 16)
        ticks = int.from_bytes(file[place], "big") + hours * 3600 * 48_000
        changed[place] = ticks.to_bytes(8, "big")
    return bytes(changed)


def test_bare_samples_are_measured_by_their_bytes(tmp_path):
    second = bytes(16_000 * SAMPLE_BYTES)
    longest = timedelta(seconds=2)
    assert stitch_pcm(openers(second, second), tmp_path / "audio", longest=longest).duration_ms == 2_000
    with pytest.raises(TooLong):
        stitch_pcm(openers(second, second, b"\0\0"), tmp_path / "more", longest=longest)
    assert not (tmp_path / "more").exists()
