"""A transcript's words one by one, each with the time at which it is said, ready to be put into lines.

If the engine gave no times for words, a segment's time is divided among its words by their lengths. Scripts
without spaces (Chinese, Japanese, Thai and the like) may be broken between any two characters unless the rules of
typesetting keep them together, so each such character is a word here.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from adapters.speech.transcript import Transcript, TranscriptSegment

_WIDE = frozenset("WF")
_JOINERS = frozenset("\u200c\u200d\u200e\u200f")
"""Format characters that change how words look or read; others are not shown."""

_UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3007), (0x3040, 0x30FF), (0x3400, 0x4DBF))
_UNSPACED_HAN = ((0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
_NEVER_FIRST = frozenset("ーぁぃぅぇぉっゃゅょァィゥェォッャュョ々ๆฯ")
"""Characters that a line must not begin with, besides closing punctuation."""


@dataclass(frozen=True, slots=True)
class TimedWord:
    """`is_spaced`: a space comes before it unless it is the first on its line. Times never go back."""

    text: str
    start_ms: int
    end_ms: int
    speaker: str | None
    is_spaced: bool
    ends_segment: bool

    @property
    def columns(self) -> int:
        return columns_of(self.text)


def columns_of(text: str) -> int:
    """How wide a text is on a line: wide characters, such as Chinese ones, count as two."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(character) in _WIDE else 1 for character in text)


def shown(text: str) -> str:
    """The text on one line, with single spaces and without control characters."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    words = ("".join(character for character in word if _is_shown(character)) for word in text.split())
    return " ".join(word for word in words if word)


def timed_words(transcript: Transcript, *, longest_columns: int) -> list[TimedWord]:
    """Every word of the transcript once, in order. Words wider than `longest_columns` are cut into pieces.

    Even if segments overlap, no word begins earlier than the one before it.
    """
    words = [
        piece
        for segment in transcript.segments
        for word in _words_of(segment)
        for piece in _cut_to(word, longest_columns)
    ]
    return _in_order_of_time(words)


@dataclass(frozen=True, slots=True)
class _Span:
    """A piece of text that is said between two times, in seconds."""

    text: str
    start: float
    end: float
    is_spaced: bool


def _is_shown(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs") or character in _JOINERS


def _words_of(segment: TranscriptSegment) -> list[TimedWord]:
    words: list[TimedWord] = []
    for piece in _pieces(_spans(segment)):
        if words and not piece.is_spaced and not _may_part(words[-1].text[-1], piece.text[0]):
            words[-1] = replace(words[-1], text=words[-1].text + piece.text, end_ms=_ms(piece.end))
        else:
            words.append(
                TimedWord(
                    piece.text, _ms(piece.start), _ms(piece.end), segment.speaker, piece.is_spaced, ends_segment=False
                )
            )
    if words:
        words[-1] = replace(words[-1], ends_segment=True)
    return words


def _spans(segment: TranscriptSegment) -> Iterator[_Span]:
    """The words, if their times are known; otherwise the segment as a whole."""
    if not segment.words:
        yield _Span(segment.text, segment.start, segment.end, is_spaced=True)
        return
    text, position = segment.text, 0
    for word in segment.words:
        # Engines give some words in several pieces: the segment's text shows whether they belong together.
        is_spaced = position == 0 or text[position : position + 1].isspace()
        yield _Span(word.text, word.start, word.end, is_spaced)
        position = _after(text, position, len("".join(word.text.split())))


def _after(text: str, position: int, count: int) -> int:
    """The position after this many more characters, not counting spaces."""
    while count and position < len(text):
        count -= not text[position].isspace()
        position += 1
    return position


def _pieces(spans: Iterable[_Span]) -> Iterator[_Span]:
    """Cut wherever a line may end; each piece gets its share of the time, and what is not shown is left out."""
    was_spaced = False
    for span in spans:
        is_spaced = span.is_spaced or was_spaced
        text = shown(span.text)
        share = (span.end - span.start) / max(1, len(text))
        for begin, end in _parts(text):
            after_space = is_spaced if begin == 0 else text[begin - 1] == " "
            yield _Span(text[begin:end], span.start + begin * share, span.start + end * share, after_space)
        was_spaced = is_spaced and not text


def _parts(text: str) -> Iterator[tuple[int, int]]:
    begin = 0
    for index in range(1, len(text) + 1):
        if index == len(text) or " " in text[index - 1 : index + 1] or _may_part(text[index - 1], text[index]):
            if text[begin:index] != " ":
                yield begin, index
            begin = index


def _may_part(left: str, right: str) -> bool:
    """Whether a line may end between two characters without a space between them."""
    if not (_is_unspaced(left) or _is_unspaced(right)):
        return False
    if right in _NEVER_FIRST or right in _JOINERS or left in _JOINERS:
        return False
    closes = unicodedata.category(right) in ("Pe", "Pf", "Po", "Pd", "Mn", "Mc", "Me")
    return not closes and unicodedata.category(left) not in ("Ps", "Pi")


def _is_unspaced(character: str) -> bool:
    code = ord(character)
    return code >= _UNSPACED[0][0] and any(first <= code <= last for first, last in (*_UNSPACED, *_UNSPACED_HAN))


def _cut_to(word: TimedWord, longest_columns: int) -> Iterator[TimedWord]:
    """The word, or pieces of about the same width, each with its share of the time."""
    if word.columns <= longest_columns:
        yield word
        return
    ends = _cuts(word.text, longest_columns)
    share = (word.end_ms - word.start_ms) / len(word.text)
    for begin, end in pairwise([0, *ends]):
        yield replace(
            word,
            text=word.text[begin:end],
            start_ms=word.start_ms + round(begin * share),
            end_ms=word.start_ms + round(end * share),
            is_spaced=word.is_spaced and begin == 0,
            ends_segment=word.ends_segment and end == len(word.text),
        )


def _cuts(text: str, longest_columns: int) -> list[int]:
    """Where pieces of the text end. A combining mark stays with its letter if there is room."""
    count = -(-columns_of(text) // longest_columns)
    wanted = -(-columns_of(text) // count)
    ends, width = [], 0
    for index, character in enumerate(text):
        room = longest_columns if _continues(character) else wanted
        if width and width + columns_of(character) > room:
            ends.append(index)
            width = 0
        width += columns_of(character)
    return [*ends, len(text)]


def _continues(character: str) -> bool:
    return unicodedata.category(character).startswith("M") or character in _JOINERS


def _in_order_of_time(words: list[TimedWord]) -> list[TimedWord]:
    """No word begins before the previous one does, and each ends no later than the next begins."""
    starts: list[int] = []
    for word in words:
        starts.append(max(word.start_ms, starts[-1] if starts else 0))
    latest = [*starts[1:], *(word.end_ms for word in words[-1:])]
    return [
        replace(word, start_ms=start, end_ms=max(start, min(word.end_ms, end)))
        for word, start, end in zip(words, starts, latest, strict=True)
    ]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
