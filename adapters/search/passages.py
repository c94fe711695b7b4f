"""Cuts a transcript into passages, the units that a search finds: what one speaker says in about half a minute."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

PASSAGE_CHARACTERS = 500
"""Neighbouring segments are put together up to this length; a longer one is cut between words."""

LONGEST_PAUSE_SECONDS = 10.0
"""What follows a longer pause is another passage."""

LATEST_SECONDS = 604_800
"""A week. Engines may report any time; a later one is taken for this."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Times in milliseconds from the recording's start. `text` is never empty."""

    start_ms: int
    end_ms: int
    speaker: str | None
    text: str


@dataclass(frozen=True, slots=True)
class _Segment:
    start: float
    end: float
    speaker: str | None
    text: str


def passages_of(stored: bytes) -> list[Passage]:
    """Those of a stored transcript, in order. The same transcript always gives the same passages, so a passage is known
    by its number among them.

    What was validated when it was stored is not validated again: with all its words that takes ten times as long.
    Raises: ValueError, KeyError, TypeError when it is not a transcript.
    """
    segments = (
        _Segment(one["start"], one["end"], one.get("speaker"), one["text"]) for one in orjson.loads(stored)["segments"]
    )
    return [passage for group in _groups(segments) for passage in _passages(group)]


def _groups(segments: Iterable[_Segment]) -> Iterator[list[_Segment]]:
    group: list[_Segment] = []
    for segment in segments:
        if group and not _belongs(segment, group):
            yield group
            group = []
        group.append(segment)
    if group:
        yield group


def _belongs(segment: _Segment, group: list[_Segment]) -> bool:
    last = group[-1]
    length = sum(len(one.text) + 1 for one in group) + len(segment.text)
    return (
        segment.speaker == last.speaker
        and segment.start - last.end <= LONGEST_PAUSE_SECONDS
        and length <= PASSAGE_CHARACTERS
    )


def _passages(group: list[_Segment]) -> Iterator[Passage]:
    """One; or several with the same times, of a single segment that is too long."""
    start_ms, end_ms = _milliseconds(group[0].start), _milliseconds(max(segment.end for segment in group))
    for text in _pieces(" ".join(segment.text for segment in group)):
        yield Passage(start_ms, end_ms, group[0].speaker, text)


def _milliseconds(seconds: float) -> int:
    return round(min(seconds, LATEST_SECONDS) * 1000)


def _pieces(text: str) -> Iterator[str]:
    while len(text) > PASSAGE_CHARACTERS:
        space = text.rfind(" ", 1, PASSAGE_CHARACTERS + 1)
        end = space if space > 0 else PASSAGE_CHARACTERS
        yield text[:end].rstrip()
        text = text[end:].lstrip()
    if text:
        yield text
