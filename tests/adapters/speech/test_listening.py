"""A recording is listened to while it arrives, in pieces of any size."""

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.audio.arriving import ArrivingBytes, arriving_sound
from adapters.audio.decoding import SAMPLE_RATE, sound_blocks
from adapters.audio.errors import NotAudio
from adapters.audio.mixing import mixed
from adapters.speech import parts
from adapters.speech.cutting import Span
from adapters.speech.listening import Listening
from adapters.speech.parts import digest_of, parts_of
from service import sample
from tests.adapters.audio.samples import OGG_OPUS, encoded, ogg_pages, wav
from tests.tools.abuse import boxes

SHORT = 5


@pytest.fixture(scope="module")
def opus() -> bytes:
    with sample.audio_file() as path:
        return Path(path).read_bytes()


@pytest.fixture(autouse=True)
def short_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "LONGEST_PART_SECONDS", SHORT)
        yield


def identities(spans: list[Span]) -> list[tuple[int, str]]:
    return [(span.start_sample, digest_of(span)) for span in spans]


def whole_parts(content: bytes) -> list[tuple[int, str]]:
    """Those of the whole file, but for its last one, which is only whole when the file is."""
    return identities(list(parts_of(mixed(sound_blocks(lambda: io.BytesIO(content))))))[:-1]


def heard(content: bytes, size_bytes: int) -> list[tuple[int, str]]:
    listening = Listening()
    spans = []
    for start in range(0, len(content), size_bytes):
        spans += listening.hear(content[start : start + size_bytes])
    listening.end()
    return identities(spans)


@pytest.mark.slow
@settings(deadline=None, max_examples=8)
@given(size_bytes=st.one_of(st.integers(100, 2_000), st.integers(2_000, 300_000)))
def test_what_arrives_in_pieces_of_any_size_has_the_parts_of_the_whole(opus: bytes, size_bytes: int):
    whole = whole_parts(opus)
    found = heard(opus, size_bytes)
    assert len(whole) > 10
    assert found == whole[: len(found)]
    assert len(found) >= len(whole) - 1  # what the decoder holds back may be the end of the last but one


@pytest.mark.parametrize("channels", [1, 2])
def test_a_wave_file_has_them_too(channels: int):
    noise = np.random.default_rng(1).normal(0, 3_000, (channels, 20 * SAMPLE_RATE)).astype(np.int16)
    content = wav(noise)
    whole = whole_parts(content)
    found = heard(content, 10_000)
    assert len(found) >= len(whole) - 1 > 1
    assert found == whole[: len(found)]


@pytest.mark.parametrize("content", [b"", b"no audio at all, " * 10_000, b"OggS" + bytes(200_000)])
def test_of_what_is_no_audio_nothing_comes_and_it_ends(content: bytes):
    listening = Listening()
    assert listening.hear(content) == listening.hear(content) == []
    listening.end()
    assert listening.has_ended


def test_damage_ends_it_and_gives_no_part_that_is_not_whole(opus: bytes):
    half = len(opus) // 2
    found = heard(opus[:half] + bytes(len(opus) - half), 10_000)
    assert 0 < len(found) < len(whole_parts(opus))
    assert found == whole_parts(opus)[: len(found)]


def test_who_listens_along_has_what_has_come_within_half_a_second():
    sound = np.random.default_rng(1).integers(-3_000, 3_000, (1, 6 * SAMPLE_RATE)).astype(np.int16)
    listening = Listening()
    listening.windows.want(0)
    for ends, page in ogg_pages(encoded(OGG_OPUS, sound, rate=SAMPLE_RATE)):
        listening.hear(page)
        assert listening.windows.wanted()[-1].end_seconds > ends - 0.5
    listening.end()


TAGS_IN_FRONT = (
    boxes.mp4_tags,
    boxes.mp4_picture,
    boxes.mp3_tags,
    boxes.flac_tags,
    boxes.flac_behind_tags,
    boxes.ogg_tags,
    boxes.webm_tags,
    boxes.wav_tags,
)


@pytest.mark.parametrize("made", TAGS_IN_FRONT, ids=lambda made: made.__name__)
def test_sound_behind_megabytes_of_tags_is_not_waited_for(made: Callable[[int], bytes]):
    """FFmpeg takes a minute for a few megabytes of them."""
    content, arriving = made(3 << 20), ArrivingBytes()
    for start in range(0, len(content), 1 << 16):
        arriving.write(content[start : start + (1 << 16)])
    arriving.end()
    with suppress(NotAudio):
        assert list(arriving_sound(arriving)) == []
    unread = 0
    while block := arriving.read():
        unread += len(block)
    assert unread > len(content) / 2
