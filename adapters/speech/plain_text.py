"""A transcript as plain text: one paragraph for each speaker's turn, or for what is said between long pauses."""

from collections.abc import Iterator

from adapters.speech.speakers import labels_of
from adapters.speech.timed_words import shown
from adapters.speech.transcript import Transcript, TranscriptSegment

PARAGRAPH_PAUSE_SECONDS = 3.0


def plain_text(transcript: Transcript) -> str:
    """Paragraphs with blank lines between them, each on one line. Empty if nothing was said.

    With several speakers, each turn is a paragraph that begins with its speaker: `S1: …`.
    """
    labels = labels_of(transcript)
    paragraphs = []
    for segments in _paragraphs(transcript, by_turn=bool(labels)):
        label = labels.get(segments[0].speaker)
        text = shown(" ".join(segment.text for segment in segments))
        if text:
            paragraphs.append(f"{label}: {text}\n" if label else f"{text}\n")
    return "\n".join(paragraphs)


def _paragraphs(transcript: Transcript, *, by_turn: bool) -> Iterator[list[TranscriptSegment]]:
    paragraph: list[TranscriptSegment] = []
    for segment in transcript.segments:
        if paragraph and _begins_another(paragraph[-1], segment, by_turn=by_turn):
            yield paragraph
            paragraph = []
        paragraph.append(segment)
    if paragraph:
        yield paragraph


def _begins_another(last: TranscriptSegment, segment: TranscriptSegment, *, by_turn: bool) -> bool:
    if by_turn:
        return segment.speaker != last.speaker
    return segment.start - last.end >= PARAGRAPH_PAUSE_SECONDS
