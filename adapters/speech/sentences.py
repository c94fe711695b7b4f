"""Groups timed words into segments: one for each sentence, or for what was said in one breath."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from adapters.speech.transcript import TranscriptSegment, TranscriptWord, segment_of

BREATH_SECONDS = 0.8
"""A pause this long ends a segment, whatever the punctuation says."""

_LONGEST_SECONDS = 20.0
_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")  # noqa: RUF001 - as Chinese and Japanese write them
_CLAUSE_ENDS = (",", ";", ":", "，", "、", "；", "：")  # noqa: RUF001
_QUOTES = "\"'”’)]»"  # noqa: RUF001
_ABBREVIATIONS = frozenset({"mr.", "mrs.", "ms.", "dr.", "st.", "prof.", "vs.", "e.g.", "i.e.", "approx."})


def sentences(words: Iterable[TranscriptWord], *, between_words: str = " ") -> list[TranscriptSegment]:
    """Segments in order; they do not overlap unless the words do. A segment's confidence comes from its words."""
    made = (segment_of_words(group, between_words=between_words) for group in _groups(list(words)))
    return [segment for segment in made if segment is not None]


def _groups(words: list[TranscriptWord]) -> Iterator[list[TranscriptWord]]:
    group = words[:1]
    for before, word in pairwise(words):
        if _parts(group, before, word):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _parts(group: list[TranscriptWord], before: TranscriptWord, word: TranscriptWord) -> bool:
    if word.start - before.end >= BREATH_SECONDS or ends_sentence(before.text):
        return True
    seconds = word.end - group[0].start
    return seconds > _LONGEST_SECONDS or (ends_clause(before.text) and seconds > _LONGEST_SECONDS / 2)


def ends_sentence(text: str) -> bool:
    """Whether a word, with its punctuation, is the last of a sentence."""
    bare = text.rstrip(_QUOTES)
    if not bare.endswith(_SENTENCE_ENDS):
        return False
    is_initial = len(bare) == 2 and bare[0].isupper() and bare[0] != "I"  # noqa: PLR2004 - a letter and a full stop
    return bare.lower() not in _ABBREVIATIONS and not is_initial


def ends_clause(text: str) -> bool:
    return text.rstrip(_QUOTES).endswith(_CLAUSE_ENDS)


def segment_of_words(
    words: Sequence[TranscriptWord], *, between_words: str = " ", speaker: str | None = None
) -> TranscriptSegment | None:
    """A segment of these words, at least one; its confidence is their mean."""
    sure = [word.confidence for word in words if word.confidence is not None]
    return segment_of(
        start=words[0].start,
        end=words[-1].end,
        text=between_words.join(word.text for word in words),
        confidence=sum(sure) / len(sure) if sure else None,
        speaker=speaker,
        words=tuple(words),
    )
