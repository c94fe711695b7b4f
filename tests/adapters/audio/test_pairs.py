"""Every container and codec that is read, joined with every other: the length and the content of the parts, in order.

What is right is a decode of each part by PyAV alone. Of the pairs of two kinds, every sixth one is tried here, and all
of them with EVERY_PAIR set, as `make soak-audio` does.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from adapters.audio.stitching import stitch
from tests.adapters.audio.every_kind import EVERY_KIND, Kind
from tests.adapters.audio.listening import RATE, Heard, heard, noise, place_of
from tests.adapters.audio.samples import Samples, decoded, openers, wav

SECONDS = (0.5, 0.6)
JOIN_SECONDS = 0.02
LIKE = 0.9
"""A codec's first frames after a join are decoded with the memory of the frames before it."""


@dataclass(frozen=True)
class Part:
    """A file, what a player hears of it, and between which lengths it is: what was recorded, and with padding."""

    content: bytes
    heard: Heard
    shortest: float
    longest: float


@cache
def part(kind: Kind, number: int) -> Part:
    seconds = SECONDS[number]
    content = kind.made(
        noise(seconds, seed=2 * EVERY_KIND.index(kind) + number, rate=kind.rate, channels=kind.channels)
    )
    sound = heard(content)
    return Part(content, sound, min(seconds, len(sound) / RATE), max(seconds, len(sound) / RATE))


def joined(parts: Sequence[Part], folder: Path) -> tuple[float, bytes]:
    """The duration in seconds that is told, and the stitched file."""
    output = folder / "stitched"
    result = stitch(openers([one.content for one in parts]), output)
    return result.duration_ms / 1000, output.read_bytes()


def complaint(parts: Sequence[Part], told_seconds: float, content: bytes) -> str | None:
    """What is wrong with this as the parts' stitched file; None for nothing."""
    whole = heard(content)
    slack = JOIN_SECONDS * max(1, len(parts) - 1)
    shortest, longest = sum(one.shortest for one in parts), sum(one.longest for one in parts)
    for name, seconds in (("told", told_seconds), ("heard", len(whole) / RATE)):
        if not shortest - slack <= seconds <= longest + slack:
            return f"{name} to be {seconds:.3f} s long, not {shortest:.3f} to {longest:.3f} s"
    earliest = latest = 0.0
    for number, one in enumerate(parts, 1):
        skipped = 0.1
        found = place_of(one.heard[round(skipped * RATE) : round((one.shortest - 0.05) * RATE)], whole)
        begins = found.seconds - skipped
        if found.likeness < LIKE:
            return f"part {number} is not heard: likeness {found.likeness:.2f}"
        if not earliest - slack <= begins <= latest + slack:
            return f"part {number} begins at {begins:.3f} s, not at {earliest:.3f} to {latest:.3f} s"
        earliest, latest = earliest + one.shortest, latest + one.longest
    return None


@pytest.mark.parametrize("first", EVERY_KIND, ids=str)
def test_joined_with_every_other_it_has_the_length_and_the_content_of_the_parts(first: Kind, tmp_path: Path) -> None:
    wrong = {}
    for second in seconds_of(first):
        parts = [part(first, 0), part(second, 1)]
        try:
            said = complaint(parts, *joined(parts, tmp_path))
        except Exception as error:  # noqa: BLE001 - the other pairs are tried, too
            said = f"{type(error).__name__}: {error}"
        if said is not None:
            wrong[str(second)] = said
    assert not wrong, "\n".join(f"{first} + {second}: {said}" for second, said in wrong.items())


def seconds_of(first: Kind) -> list[Kind]:
    start = (EVERY_KIND.index(first) + 1) % 6
    return list(EVERY_KIND) if "EVERY_PAIR" in os.environ else [first, *EVERY_KIND[start::6]]


class TestWhatWouldBeNoticed:
    """The same questions asked of files that are not what they should be."""

    kind = EVERY_KIND[3]

    @pytest.fixture
    def parts(self) -> list[Part]:
        return [part(self.kind, 0), part(self.kind, 1)]

    def test_nothing_of_what_is_right(self, parts: list[Part]) -> None:
        assert complaint(parts, sum(SECONDS), wav(sound_of(parts))) is None

    def test_the_parts_in_another_order(self, parts: list[Part]) -> None:
        assert "begins at" in str(complaint(parts, sum(SECONDS), wav(sound_of(parts[::-1]))))

    def test_a_part_that_is_lost_and_another_that_comes_twice(self, parts: list[Part]) -> None:
        assert "is not heard" in str(
            complaint(parts, sum(SECONDS), wav(sound_of([parts[1], parts[1]])[:, : 1_100 * 16]))
        )

    @pytest.mark.parametrize("at_ms", [5, 250, 500, 1_060])
    def test_30_ms_that_are_missing(self, parts: list[Part], at_ms: int) -> None:
        whole = sound_of(parts)
        cut = np.delete(whole, range(at_ms * 16, (at_ms + 30) * 16), axis=1)
        assert "heard to be 1.070 s" in str(complaint(parts, sum(SECONDS), wav(cut)))
        made_up = np.concatenate([cut, np.zeros((1, 30 * 16), np.int16)], axis=1)
        if at_ms < 1_000:
            assert complaint(parts, sum(SECONDS), wav(made_up)) is not None

    def test_a_duration_that_is_told_wrong(self, parts: list[Part]) -> None:
        assert "told to be 1.130 s" in str(complaint(parts, 1.13, wav(sound_of(parts))))


def sound_of(parts: Sequence[Part]) -> Samples:
    return np.concatenate([decoded(one.content) for one in parts], axis=1)
