"""Voiceprints of people who do not exist: each has a direction, and every window of theirs is near it."""

from collections.abc import Sequence

import numpy as np

from adapters.speech.sentences import segment_of_words
from adapters.speech.transcript import TranscriptSegment, TranscriptWord
from adapters.speech.voiceprint import DIMENSIONS, Voiceprint

WORD_SECONDS = 0.3
PAUSE_SECONDS = 0.5
_SPREAD = 0.6
"""Windows of one voice are then about as much alike as those of a real one: a cosine of 0.73."""

Turn = tuple[str, int]
"""Who speaks, and how many words."""


def prints_of(turns: Sequence[Turn], *, unclear: Sequence[int] = ()) -> list[Voiceprint]:
    """Windows of 1.6 s every 0.8 s over each turn. The turns whose numbers are in `unclear` sound like nobody."""
    prints, at = [], 0.0
    for number, (who, words) in enumerate(turns):
        length = words * WORD_SECONDS
        random = np.random.default_rng([number, 7])
        for start in np.arange(0, max(0.1, length - 0.8), 0.8):
            heard = np.zeros(DIMENSIONS) if number in unclear else voice(who)
            heard = heard + random.normal(0, _SPREAD / np.sqrt(DIMENSIONS), DIMENSIONS)
            end = min(start + 1.6, length)
            prints.append(Voiceprint.of(at + start, at + end, heard / np.linalg.norm(heard)))
        at += length + PAUSE_SECONDS
    return prints


def voice(who: str) -> np.ndarray:
    direction = np.random.default_rng(ord(who)).normal(0, 1, DIMENSIONS)
    return direction / np.linalg.norm(direction)


def words_of(turns: Sequence[Turn], *, ends_sentences: bool = True) -> list[TranscriptWord]:
    words, at = [], 0.0
    for who, count in turns:
        for number in range(count):
            ends = ends_sentences and number == count - 1
            start = at + number * WORD_SECONDS
            text = f"{who}{number}" + ("." if ends else "")
            words.append(TranscriptWord(start=round(start, 3), end=round(start + WORD_SECONDS, 3), text=text))
        at += count * WORD_SECONDS + PAUSE_SECONDS
    return words


def in_one_segment(words: Sequence[TranscriptWord]) -> list[TranscriptSegment]:
    segment = segment_of_words(words)
    return [] if segment is None else [segment]
