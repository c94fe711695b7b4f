"""A file that was decoded while it came is stitched as any other, and is not decoded for that again."""

import io
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from adapters.audio import survey as survey_module
from adapters.audio.as_it_came import CameWhole, is_as_it_came
from adapters.audio.decoding import file_of, sound_blocks
from adapters.audio.errors import AudioError, TooLong
from adapters.audio.mixing import mixed
from adapters.audio.stitching import StitchedAudio, stitch
from adapters.speech import parts
from adapters.speech.cutting import Span
from adapters.speech.listening import Listening
from adapters.speech.parts import digest_of, parts_of
from tests.adapters.audio.samples import (
    EVERY_FORMAT,
    FLAC,
    M4A,
    OGG_FLAC,
    OGG_OPUS,
    OGG_VORBIS,
    WAV,
    WAV_24,
    WEBM,
    encoded,
    opener,
    openers,
    tone,
)

RATE = 48_000
KNOWN = (OGG_OPUS, OGG_VORBIS, OGG_FLAC, WAV, WAV_24, FLAC)
READ_ALIKE = {(form, can_seek) for form in KNOWN for can_seek in (True, False)} - {(WAV, False), (WAV_24, False)}
"""Files of which nothing is decoded again. A WAV whose sizes are wrong is read with others, and WebM without its notes:
these are not as they came."""


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LONGEST_PART_SECONDS", 1)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every piece of sound that was decoded to be measured."""
    pieces: list[object] = []
    add = survey_module.HeardTrack._add
    monkeypatch.setattr(survey_module.HeardTrack, "_add", lambda its, part: (pieces.append(part), add(its, part)))
    return pieces


def listened(content: bytes, size_bytes: int = 3_000) -> tuple[CameWhole, list[Span]] | None:
    listening = Listening()
    spans: list[Span] = []
    for start in range(0, len(content), size_bytes):
        spans += listening.hear(content[start : start + size_bytes])
    finished = listening.finish()
    if finished is None:
        return None
    came, last = finished
    return came, [*spans, *last]


def came_of(content: bytes) -> CameWhole | None:
    found = listened(content)
    return None if found is None else found[0]


def stitched(folder: Path, content: bytes, came: CameWhole | None) -> tuple[StitchedAudio, bytes] | tuple[str, str]:
    output = folder / "audio"
    slices = [content[start : start + 9_000] for start in range(0, len(content), 9_000)]
    try:
        result = stitch(openers(slices), output, came=came)
    except AudioError as error:
        return type(error).__name__, str(error)
    return result, output.read_bytes()


def whole_parts(content: bytes) -> list[tuple[int, str]]:
    return [(span.start_sample, digest_of(span)) for span in parts_of(mixed(sound_blocks(opener(content))))]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("can_seek", [True, False])
@pytest.mark.parametrize("form", EVERY_FORMAT)
def test_it_is_stitched_alike_and_has_the_same_sound(
    tmp_path: Path, decoded: list[object], form: str, can_seek: bool, channels: int
):
    if form == M4A and not can_seek:
        pytest.skip("no MP4 can be written so")
    content = encoded(form, tone(3 * RATE, channels=channels), can_seek=can_seek)
    found = listened(content)
    decoded.clear()
    with_it = stitched(tmp_path, content, None if found is None else found[0])
    is_known = not decoded
    assert with_it == stitched(tmp_path, content, None)
    assert is_known is ((form, can_seek) in READ_ALIKE)
    if is_known:
        assert found is not None
        assert [(span.start_sample, digest_of(span)) for span in found[1]] == whole_parts(content)


def changed(content: bytes, at: int, to: bytes) -> bytes:
    return content[:at] + to + content[at + len(to) :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut in the middle of something": lambda content: content[: len(content) * 7 // 8],
    "zeros inside": lambda content: changed(content, len(content) // 2, bytes(300)),
    "a turned byte": lambda content: changed(content, len(content) // 3, bytes([content[len(content) // 3] ^ 0x55])),
    "something behind it": lambda content: content + b"something else" * 20,
    "another file behind it": lambda content: content + encoded(FLAC, tone(RATE)),
    "itself behind it": lambda content: content + content,
    "its middle missing": lambda content: content[: len(content) // 3] + content[len(content) // 2 :],
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("form", [*KNOWN, WEBM])
def test_a_damaged_file_or_several_are_stitched_as_without_it(tmp_path: Path, form: str, damage: str):
    content = DAMAGE[damage](encoded(form, tone(4 * RATE)))
    found = listened(content)
    came = None if found is None else found[0]
    result = stitched(tmp_path, content, came)
    assert result == stitched(tmp_path, content, None)
    audio = result[1]
    if isinstance(audio, bytes) and audio == content and found is not None:
        is_same = is_as_it_came(file_of(partial(io.BytesIO, audio)), found[0])
        if is_same:
            assert [(span.start_sample, digest_of(span)) for span in found[1]] == whole_parts(audio)


def test_what_came_counts_only_for_the_same_bytes(tmp_path: Path, decoded: list[object]):
    content, other = encoded(OGG_OPUS, tone(3 * RATE)), encoded(OGG_OPUS, tone(3 * RATE, hertz=700))
    came = came_of(content)
    assert came is not None
    decoded.clear()
    assert stitched(tmp_path, other, came) == stitched(tmp_path, other, None)
    assert decoded


def test_what_is_longer_than_allowed_is_refused_all_the_same(tmp_path: Path):
    content = encoded(OGG_OPUS, tone(3 * RATE))
    with pytest.raises(TooLong):
        stitch(openers([content]), tmp_path / "audio", longest=timedelta(seconds=2), came=came_of(content))
