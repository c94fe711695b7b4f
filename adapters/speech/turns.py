"""Who says each word, and segments that are each of one speaker.

A word counts with the windows around it. People take turns where a sentence ends or after a pause much more often than
between other words, so elsewhere a change needs more evidence. Where the voice is not clear, no speaker is named.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import groupby, pairwise

import numpy as np

from adapters.speech.mel_bands import Floats
from adapters.speech.sentences import ends_clause, ends_sentence, segment_of_words
from adapters.speech.telling_apart import ToldApart, told_apart
from adapters.speech.transcript import TranscriptSegment, TranscriptWord
from adapters.speech.voiceprint import Voiceprint, embeddings_of

_LONGEST_WINDOW_SECONDS = 2.0
_MOST_EVIDENCE = 1.5
_SHORTEST_COUNTED_SECONDS, _LONGEST_COUNTED_SECONDS = 0.1, 0.6

_TURN_COSTS = 0.1
_TURN_IN_SENTENCE_COSTS = 0.5
_TURN_IN_CLAUSE_COSTS = 1.2
_PAUSE_SECONDS = 0.25

_LEAST_ALIKE = 0.7
"""Of the usual: what is less like all voices is somebody else's, or no voice, and evidence for nobody."""

_LEAST_CLEAR = 0.2
"""Of the evidence, on average over what somebody says without a turn or a sentence's end."""


def with_speakers(
    segments: Sequence[TranscriptSegment], prints: Sequence[Voiceprint], *, between_words: str = " "
) -> list[TranscriptSegment]:
    """The same words in the same order, in segments that are cut where another speaker begins.

    Speakers are S1, S2 and so on in the order in which they first speak. One voice alone, or voices that cannot be told
    apart, are given no names. A segment whose words have no times stays as it is. `prints`: in order of time.
    """
    found = told_apart(prints)
    words = [word for segment in segments for word in segment.words]
    if found is None or not words:
        return list(segments)
    speakers = _numbered(_speakers(segments, words, prints, found))
    if len(set(speakers) - {None}) == 1:
        return list(segments)
    named: list[TranscriptSegment] = []
    at = 0
    for segment in segments:
        named += _cut(segment, speakers[at : at + len(segment.words)], between_words)
        at += len(segment.words)
    return named


def _cut(segment: TranscriptSegment, speakers: Sequence[str | None], between_words: str) -> list[TranscriptSegment]:
    if len(set(speakers)) == 1:
        return [segment if speakers[0] is None else segment.model_copy(update={"speaker": speakers[0]})]
    said = zip(segment.words, speakers, strict=True)
    parts = ([word for word, _ in group] for _, group in groupby(said, key=lambda pair: pair[1]))
    named = (speaker for speaker, _ in groupby(speakers))
    made = [
        segment_of_words(words, between_words=between_words, speaker=speaker)
        for words, speaker in zip(parts, named, strict=True)
    ]
    return [one for one in made if one is not None] or [segment]


def _numbered(voices: Sequence[int | None]) -> list[str | None]:
    order = list(dict.fromkeys(voice for voice in voices if voice is not None))
    return [None if voice is None else f"S{order.index(voice) + 1}" for voice in voices]


def _speakers(
    segments: Sequence[TranscriptSegment],
    words: Sequence[TranscriptWord],
    prints: Sequence[Voiceprint],
    found: ToldApart,
) -> list[int | None]:
    """The voice of each word, or None where it is not clear."""
    evidence = _evidence(words, prints, found)
    last_of_segments = set(np.cumsum([len(segment.words) for segment in segments]) - 1)
    costs = [
        _cost_of_turn(before, word, ends_segment=index in last_of_segments)
        for index, (before, word) in enumerate(pairwise(words))
    ]
    lengths = [min(max(word.end - word.start, _SHORTEST_COUNTED_SECONDS), _LONGEST_COUNTED_SECONDS) for word in words]
    path = _likeliest(evidence * np.array(lengths, np.float32)[:, np.newaxis], costs)
    return _where_clear(path, evidence, lengths, costs)


def _cost_of_turn(before: TranscriptWord, word: TranscriptWord, *, ends_segment: bool) -> float:
    if ends_segment or ends_sentence(before.text) or word.start - before.end >= _PAUSE_SECONDS:
        return _TURN_COSTS
    return _TURN_IN_SENTENCE_COSTS if ends_clause(before.text) else _TURN_IN_CLAUSE_COSTS


def _evidence(words: Sequence[TranscriptWord], prints: Sequence[Voiceprint], found: ToldApart) -> Floats:
    """For each word and voice, how much more the windows around it are like that voice than like the likeliest other.

    About 1 where a voice is as clear as usual; all 0 where no window is near that is like any voice.
    """
    starts = [one.start for one in prints]
    alike = embeddings_of(prints) @ found.voices.T
    clear = np.clip((alike - _best_other(alike)) / found.margin, -_MOST_EVIDENCE, _MOST_EVIDENCE)
    clear[alike.max(axis=1) < _LEAST_ALIKE * found.usual] = 0
    evidence = np.zeros((len(words), len(found.voices)), np.float32)
    for number, word in enumerate(words):
        first = bisect_right(starts, word.start - _LONGEST_WINDOW_SECONDS)
        after = bisect_right(starts, word.end)
        weights = np.array([_overlap(word, one) for one in prints[first:after]], np.float32)
        if weights.sum() > 0:
            evidence[number] = weights @ clear[first:after] / weights.sum()
    return evidence


def _best_other(alike: Floats) -> Floats:
    order = np.sort(alike, axis=1)
    best, next_best = order[:, -1:], order[:, -2:-1]
    others: Floats = np.where(alike == best, next_best, best)
    return others


def _overlap(word: TranscriptWord, window: Voiceprint) -> float:
    """More where the word is near the window's middle."""
    seconds = min(word.end, window.end) - max(word.start, window.start)
    if seconds <= 0:
        return 0.0
    off = abs((word.start + word.end) - (window.start + window.end)) / (window.end - window.start)
    return seconds * max(0.1, 1 - off)


def _likeliest(gains: Floats, costs: Sequence[float]) -> list[int]:
    """The voices whose gains are greatest, less what the changes between them cost (Viterbi's algorithm)."""
    totals = gains[0].astype(np.float64)
    came_from = []
    for gain, cost in zip(gains[1:], costs, strict=True):
        best = int(totals.argmax())
        stays = totals >= totals[best] - cost
        came_from.append(np.where(stays, np.arange(len(totals)), best))
        totals = np.where(stays, totals, totals[best] - cost) + gain
    path = [int(totals.argmax())]
    for origins in reversed(came_from):
        path.append(int(origins[path[-1]]))
    return path[::-1]


def _where_clear(
    path: Sequence[int], evidence: Floats, lengths: Sequence[float], costs: Sequence[float]
) -> list[int | None]:
    voices: list[int | None] = []
    first = 0
    for after in range(1, len(path) + 1):
        if after < len(path) and path[after] == path[first] and costs[after - 1] > _TURN_COSTS:
            continue
        seconds = np.array(lengths[first:after])
        mean = float(evidence[first:after, path[first]] @ seconds / seconds.sum())
        voices += [path[first] if mean >= _LEAST_CLEAR else None] * (after - first)
        first = after
    return voices
