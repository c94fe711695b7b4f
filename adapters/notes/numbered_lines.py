"""A transcript in numbered lines, as language models get it, and in parts if it is long.

    [1] S1: Any fever?
    [2] S2: No.

A line is a segment, or some of its sentences. Numbers count through all parts.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from adapters.speech.plain_text import PARAGRAPH_PAUSE_SECONDS
from adapters.speech.speakers import labels_of
from adapters.speech.timed_words import shown
from adapters.speech.transcript import Transcript, TranscriptSegment

MOST_WORDS = 60
"""Of a line, if it can be cut after a sentence; twice as many otherwise."""

_END = re.compile(r"[.?!…。？！।]['\"”’)]*$")  # noqa: RUF001 - other scripts end their sentences, too


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """Some words of one segment.

    `from_word` and `from_word_of_segment`: the place of its first word in the transcript and in the segment, from 0.
    `begins_turn`: whether another speaker begins, or the same one after a pause.
    """

    number: int
    label: str | None
    words: tuple[str, ...]
    from_word: int
    segment: TranscriptSegment
    from_word_of_segment: int
    begins_turn: bool

    @property
    def text(self) -> str:
        said = shown(" ".join(self.words))
        return f"[{self.number}] {self.label}: {said}" if self.label else f"[{self.number}] {said}"

    def seconds(self, first: int, last: int) -> tuple[float, float]:
        """Between which the words from `first` to `last` of the line were said; the segment's, if nobody knows."""
        timed = self.segment.words
        if len(timed) != len(self.segment.text.split()):
            return self.segment.start, self.segment.end
        return timed[self.from_word_of_segment + first].start, timed[self.from_word_of_segment + last].end


def transcript_in_parts(transcript: Transcript, most_characters: int) -> list[list[NumberedLine]]:
    """All of its lines, in as few parts as turns allow, none of more than so many characters.

    Only a turn that is longer than a part is cut between its lines, and a line never. Nothing said is no part.
    """
    return _in_parts(numbered_lines(transcript), most_characters)


def numbered_lines(transcript: Transcript) -> list[NumberedLine]:
    """All of the transcript, in order; no word is left out or repeated."""
    labels = labels_of(transcript)
    lines: list[NumberedLine] = []
    word, before = 0, None
    for segment in transcript.segments:
        words = segment.text.split()
        for start, end in pairwise(_cuts(words)):
            lines.append(
                NumberedLine(
                    number=len(lines) + 1,
                    label=labels.get(segment.speaker),
                    words=tuple(words[start:end]),
                    from_word=word + start,
                    segment=segment,
                    from_word_of_segment=start,
                    begins_turn=start == 0 and _begins_turn(before, segment),
                )
            )
        word += len(words)
        before = segment
    return lines


def _cuts(words: Sequence[str]) -> list[int]:
    """Where lines begin, and the end."""
    cuts = [0]
    for index in range(1, len(words)):
        length = index - cuts[-1]
        if length >= 2 * MOST_WORDS or (length >= MOST_WORDS and _END.search(words[index - 1])):
            cuts.append(index)
    return [*cuts, len(words)]


def _begins_turn(before: TranscriptSegment | None, segment: TranscriptSegment) -> bool:
    return before is None or segment.speaker != before.speaker or segment.start - before.end >= PARAGRAPH_PAUSE_SECONDS


def _in_parts(lines: Sequence[NumberedLine], most_characters: int) -> list[list[NumberedLine]]:
    parts: list[list[NumberedLine]] = []
    room = 0
    for turn in _turns(lines):
        for piece in [turn] if _size(turn) <= most_characters else [[line] for line in turn]:
            if not parts or _size(piece) > room:
                parts.append([])
                room = most_characters
            parts[-1] += piece
            room -= _size(piece)
    return parts


def written_out(lines: Iterable[NumberedLine]) -> str:
    """As the model gets them."""
    return "\n".join(line.text for line in lines)


def _turns(lines: Iterable[NumberedLine]) -> Iterator[list[NumberedLine]]:
    turn: list[NumberedLine] = []
    for line in lines:
        if turn and line.begins_turn:
            yield turn
            turn = []
        turn.append(line)
    if turn:
        yield turn


def _size(lines: Iterable[NumberedLine]) -> int:
    """With the ends of the lines."""
    return sum(len(line.text) + 1 for line in lines)
