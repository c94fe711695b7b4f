"""A recording in very many slices: what is done for it grows with its slices and bytes, and not with both together."""

import contextlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from adapters.audio.errors import AudioError
from adapters.audio.stitching import stitch
from tests.adapters.audio.kinds import file_of
from tests.adapters.audio.samples import openers
from tests.tools.abuse import slices as attacks

FEW, MANY = 500, 1_500
SECONDS = 2
"""Of sound in the few slices; the many are as large and have three times as much."""

Attack = Callable[[bytes, int], list[bytes]]

SLICED = ("Ogg Opus", "WAV", "FLAC", "MP3", "fragmented MP4", "WebM")
ATTACKS = (
    *((kind, attacks.slices) for kind in SLICED),
    ("MP4 with MP3", attacks.among_zeros),
    ("fragmented MP4", attacks.among_zeros),
    ("FLAC", attacks.among_pictures),
    ("MPEG-TS", attacks.among_pictures),
    ("MP3", attacks.without_a_beginning),
    ("Ogg Opus", attacks.without_a_beginning),
)


@pytest.mark.parametrize("kind", SLICED)
def test_every_slice_is_opened_once(kind: str, tmp_path: Path) -> None:
    opens = 0

    class Counted:
        def __init__(self, content: bytes) -> None:
            self._content = content

        def __call__(self) -> io.BytesIO:
            nonlocal opens
            opens += 1
            return io.BytesIO(self._content)

    content = file_of(kind)
    result = stitch([Counted(chunk) for chunk in attacks.slices(content, MANY)], tmp_path / "stitched")
    assert result.damage == ()
    assert opens == MANY


@pytest.mark.parametrize(("kind", "attack"), ATTACKS)
@pytest.mark.slow
def test_three_times_as_many_slices_take_three_times_the_steps(kind: str, attack: Attack, tmp_path: Path) -> None:
    few = _steps(attack(file_of(kind, SECONDS), FEW), tmp_path)
    many = _steps(attack(file_of(kind, SECONDS * MANY / FEW), MANY), tmp_path)
    assert many <= 1.3 * MANY / FEW * few


def test_a_flac_stream_that_is_said_to_have_large_frames_is_searched_once(tmp_path: Path) -> None:
    few, many = (_steps(attacks.frameless_flac(count), tmp_path) for count in (FEW, MANY))
    assert many <= 1.3 * MANY / FEW * few


def _steps(chunks: list[bytes], scratch: Path) -> int:
    """How many functions are called to stitch these chunks."""
    steps = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        with contextlib.suppress(AudioError):
            stitch(openers(chunks), scratch / "stitched")
    finally:
        sys.setprofile(before)
    return steps
