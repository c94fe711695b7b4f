"""A transcript as the strictest of Bota's clients takes it (P): they check each segment, and stop at the first that
differs. Engines and older transcripts may give anything; what is said and when stays, what cannot be shown goes.
"""

import unicodedata
from collections.abc import Iterable, Iterator

from adapters.speech.text_pieces import pieces_of
from adapters.speech.transcript import Transcript, TranscriptSegment, TranscriptWord

LONGEST_SECONDS = 604_800
"""A week: the latest end of a segment."""

LONGEST_TEXT = 10_000
LONGEST_SPEAKER = 256
_SHORTEST_SECONDS = 0.001
_DECIMALS = 3
_CONTROL, _FORMAT, _SURROGATE = "Cc", "Cf", "Cs"


def strict(transcript: Transcript) -> Transcript:
    """The transcript itself if every segment is as clients take it; else one with segments that are."""
    if all(map(_is_strict, transcript.segments)):
        return transcript
    return Transcript.of_segments(
        strict_segments(transcript.segments),
        language=transcript.language,
        engine=transcript.engine,
        provider=transcript.provider,
        duration_ms=transcript.duration_ms,
        unrecognized=transcript.unrecognized,
    ).model_copy(update={"confidence": transcript.confidence})


def strict_segments(segments: Iterable[TranscriptSegment]) -> list[TranscriptSegment]:
    """The segments as clients take them, each by itself."""
    return [strict_one for segment in segments for strict_one in _made_strict(segment)]


def _is_strict(segment: TranscriptSegment) -> bool:
    speaker = segment.speaker
    return (
        len(segment.text) <= LONGEST_TEXT
        and segment.end <= LONGEST_SECONDS
        and segment.start == round(segment.start, _DECIMALS)
        and segment.end == round(segment.end, _DECIMALS)
        and _shown(segment.text) == segment.text
        and (speaker is None or _speaker(speaker) == speaker)
    )


def _shown(text: str) -> str:
    """Without what has no form: controls, marks of direction and joining. Empty if nothing is left to see."""
    if text.isprintable():  # nearly always
        return text.strip()
    kept = (" " if each.isspace() else each for each in text if each.isspace() or not _is_formless(each))
    shown = " ".join("".join(kept).split())
    return shown if any(each.isprintable() for each in shown.replace(" ", "")) else ""


def _is_formless(character: str) -> bool:
    return unicodedata.category(character) in (_CONTROL, _FORMAT, _SURROGATE)


def _speaker(name: str) -> str | None:
    return _shown(name)[:LONGEST_SPEAKER].strip() or None


def _made_strict(segment: TranscriptSegment) -> Iterator[TranscriptSegment]:
    """None if there is nothing to show, or not within a week; several if it is too long."""
    text, start = _shown(segment.text), round(segment.start, _DECIMALS)
    if not text or start >= LONGEST_SECONDS:
        return
    end = min(LONGEST_SECONDS, round(max(segment.end, start + _SHORTEST_SECONDS), _DECIMALS))
    words = tuple(_shown_words(segment)) if len(text) <= LONGEST_TEXT else ()
    pieces = list(pieces_of(text, longest=LONGEST_TEXT))
    second_per_character = (end - start) / sum(map(len, pieces))
    told = 0
    for piece in pieces:
        begins = round(start + second_per_character * told, _DECIMALS)
        told += len(piece)
        ends = round(start + second_per_character * told, _DECIMALS)
        yield TranscriptSegment(
            start=begins,
            end=min(LONGEST_SECONDS, max(ends, round(begins + _SHORTEST_SECONDS, _DECIMALS))),
            text=piece,
            speaker=_speaker(segment.speaker) if segment.speaker else None,
            confidence=segment.confidence,
            words=words,
        )


def _shown_words(segment: TranscriptSegment) -> Iterator[TranscriptWord]:
    for word in segment.words:
        if shown := _shown(word.text):
            yield word.model_copy(update={"text": shown})
