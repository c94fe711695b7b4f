"""Cuts a transcript into passages, the units that a search finds: what one speaker says in about half a minute."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from adapters.speech.text_pieces import pieces_of

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
    length = 0
    for segment in segments:
        if group and not (_follows(segment, group[-1]) and length + len(segment.text) <= PASSAGE_CHARACTERS):
            yield group
            group, length = [], 0
        group.append(segment)
        length += len(segment.text) + 1
    if group:
        yield group


def _follows(segment: _Segment, last: _Segment) -> bool:
    return segment.speaker == last.speaker and segment.start - last.end <= LONGEST_PAUSE_SECONDS


def _passages(group: list[_Segment]) -> Iterator[Passage]:
    """One; or several with the same times, of a single segment that is too long."""
    start_ms, end_ms = _milliseconds(group[0].start), _milliseconds(max(segment.end for segment in group))
    for text in pieces_of(" ".join(segment.text for segment in group), longest=PASSAGE_CHARACTERS):
        yield Passage(start_ms, end_ms, group[0].speaker, text)


def _milliseconds(seconds: float) -> int:
    return round(min(seconds, LATEST_SECONDS) * 1000)
