"""Which kind a file is of, by its bytes; and that FFmpeg's demuxer for that kind reads it."""

import io

import av
import numpy as np
import pytest

from adapters.audio.budget import Budget
from adapters.audio.container import Container, container_of, format_not_read
from adapters.audio.mpeg_frames import next_frame
from tests.adapters.audio.kinds import KINDS, SECONDS, file_of
from tests.adapters.audio.samples import cut


def container(content: bytes) -> Container | None:
    return container_of(io.BytesIO(content), len(content))


def seconds_decoded(content: bytes, demuxer: str) -> float:
    with av.open(io.BytesIO(content), "r", format=demuxer) as opened:
        rate = opened.streams.audio[0].rate
        return sum(frame.samples for frame in opened.decode(audio=0)) / rate


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_recognized_and_read_by_its_demuxer(name: str) -> None:
    content = file_of(name)
    found = container(content)
    assert found is KINDS[name].container
    assert seconds_decoded(content, found.demuxer) == pytest.approx(SECONDS, abs=0.15)


@pytest.mark.parametrize("name", ["MP3", "MP3 without tags", "ADTS", "MP2"])
def test_bare_frames_are_found_behind_the_end_of_a_cut_off_one(name: str) -> None:
    content = file_of(name)
    for start in (1_000, 1_501, 2_222):
        assert container(content[start:]) is KINDS[name].container


@pytest.mark.parametrize("junk", [bytes(2_048), bytes(40_000), np.random.default_rng(3).bytes(3_000)])
def test_frames_are_found_behind_junk_that_follows_the_tag(junk: bytes) -> None:
    plain = file_of("MP3 without tags")
    tag = b"ID3\x04\0\0" + bytes([0, 0, 0, 10]) + b"TIT2" + bytes(6)
    assert container(tag + junk + plain) is Container.MP3


def test_frames_are_found_behind_a_tag_that_was_cut_off() -> None:
    tag = b"ID3\x04\0\0" + bytes([0, 0x7F, 0x7F, 0x7F]) + b"APIC" + bytes(500)
    assert container(tag + file_of("MP3 without tags")) is Container.MP3


def test_frames_by_chance_are_none() -> None:
    chance = np.random.default_rng(5).bytes(3_000_000)
    assert next_frame(io.BytesIO(chance), 0, len(chance), Budget.of(len(chance))) is None
    picture = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + chance[:100_000]
    assert container(picture + file_of("MP3 without tags")) is None


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"\x02dss" + bytes(100), "DSS (Olympus dictation)"),
        (b"\x03ds2" + bytes(100), "DS2 (Olympus dictation)"),
        (b"#!SILK_V3" + bytes(100), "SILK (Skype, QQ or WeChat)"),
        (b"\x02#!SILK_V3" + bytes(100), "SILK (WeChat)"),
        (b"RIFF\x00\x01\x00\x00QLCMfmt " + bytes(100), "QCP (Qualcomm)"),
        (b".RMF\x00\x00\x00\x12" + bytes(100), "RealMedia"),
        (b"DSD \x1c\0\0\0" + bytes(100), "DSF (Direct Stream Digital)"),
        (b"MPCKSH" + bytes(100), "Musepack"),
        (b"\0\0\0\x24ftypaax " + bytes(100), "AAX (Audible), which is encrypted"),
    ],
)
def test_what_is_not_read_is_named(beginning: bytes, name: str) -> None:
    assert container(beginning) is None
    assert format_not_read(beginning) == name


@pytest.mark.parametrize("name", KINDS)
def test_no_file_that_is_read_is_named_as_one_that_is_not(name: str) -> None:
    for piece in cut(file_of(name), *range(0, len(file_of(name)), 997)):
        assert format_not_read(piece) is None
