"""Subtitle cues from a transcript: what is shown together, on which lines, from when to when.

The rules are those that subtitle guides share, such as the BBC's subtitle guidelines and Netflix's timed text style
guides: at most two lines of at most 42 characters; shown for 1 to 7 seconds; no more than about 20 characters per
second; a cue ends with a sentence if it can, else with a clause, at a pause, or before a conjunction or preposition; no
word is left alone; two lines are of about the same length, or the lower one is longer. Another speaker, or a pause of
more than 1.5 seconds, always begins a new cue.

A cue begins with its first word. It stays after its last word if it needs that to be readable, but never into the next
cue. Dynamic programming finds the best of all ways to divide what is said without a long pause.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from adapters.speech.line_breaks import LineBreaks, ends_sentence
from adapters.speech.speakers import labels_of
from adapters.speech.timed_words import TimedWord, columns_of, timed_words
from adapters.speech.transcript import Transcript

LINE_COLUMNS = 42
SHORTEST_MS = 1_000
LONGEST_MS = 7_000
LONGEST_PAUSE_MS = 1_500
COLUMNS_PER_SECOND = 20


@dataclass(frozen=True, slots=True)
class Cue:
    """One or two lines of text. `speaker`: the speaker's label, None where there is only one speaker.

    `begins_turn`: somebody else spoke before. The first line has room for the label and `": "`.
    """

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str | None
    begins_turn: bool


def cues_of(transcript: Transcript) -> list[Cue]:
    """The cues in order; none overlaps the next."""
    labels = labels_of(transcript)
    room = max((label_columns(label) for label in labels.values()), default=0)
    words = timed_words(transcript, longest_columns=LINE_COLUMNS - room)
    breaks = LineBreaks(transcript.language)
    pieces = [
        _Piece(run.words[first:last], run.label, run.begins_turn and first == 0, run.columns_before(first))
        for run in _runs(words, labels)
        for first, last in _Division(run, breaks).spans()
    ]
    return list(_timed(pieces, breaks))


def label_columns(label: str) -> int:
    """How much of a line a speaker's label takes, including its separator."""
    return columns_of(f"{label}: ")


@dataclass(frozen=True, slots=True)
class _Run:
    """Words of one speaker without a long pause. `next_start_ms`: when the next run begins; None for the last."""

    words: Sequence[TimedWord]
    label: str | None
    begins_turn: bool
    next_start_ms: int | None

    def columns_before(self, index: int) -> int:
        """What comes on the line before the word of this index, if a cue begins with it."""
        return label_columns(self.label) if self.label and self.begins_turn and index == 0 else 0


@dataclass(frozen=True, slots=True)
class _Piece:
    """The words of one cue."""

    words: Sequence[TimedWord]
    label: str | None
    begins_turn: bool
    columns_before: int


def _runs(words: Sequence[TimedWord], labels: dict[str | None, str]) -> Iterator[_Run]:
    first = 0
    for index in range(1, len(words) + 1):
        if index < len(words) and not _parts_runs(words[index - 1], words[index]):
            continue
        speaker = words[first].speaker
        yield _Run(
            words=words[first:index],
            label=labels.get(speaker),
            begins_turn=first == 0 or words[first - 1].speaker != speaker,
            next_start_ms=words[index].start_ms if index < len(words) else None,
        )
        first = index


def _parts_runs(left: TimedWord, right: TimedWord) -> bool:
    return left.speaker != right.speaker or right.start_ms - left.end_ms > LONGEST_PAUSE_MS


_EACH_CUE = 5.0
_SENTENCE_BEGUN = 5.0
"""The cost of a cue that ends one sentence and begins another that continues in the next cue."""
_BETWEEN_LINES = 0.5
"""The cost of a break between two lines, as a fraction of that between two cues."""
_LONE_WORD, _FEW_WORDS = 12.0, 4.0
_FEW = 2
_PAUSE_INSIDE_MS, _PAUSE_INSIDE = 700, 3.0
_PER_SECOND_TOO_SHORT = 15.0
_PER_SECOND_TOO_FAST = 4.0


class _Division:
    """The cheapest way to divide a run into cues."""

    def __init__(self, run: _Run, breaks: LineBreaks) -> None:
        self._run = run
        words = run.words
        self._joints = [breaks.cost(left, right) for left, right in pairwise(words)]
        self._sentence_ends = [ends_sentence(left, right) for left, right in pairwise(words)]
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._pauses = [0]
        self._sentences = [0, *accumulate(self._sentence_ends)]
        end = run.columns_before(0)
        for index, word in enumerate(words):
            # A label comes before the first word, so the line begins at column 0 with the label.
            self._begins.append(0 if index == 0 else end + word.is_spaced)
            end = (end if index == 0 else self._begins[index]) + word.columns
            self._ends.append(end)
            if index:
                is_long = word.start_ms - words[index - 1].end_ms >= _PAUSE_INSIDE_MS
                self._pauses.append(self._pauses[-1] + is_long)
        self._line_ends = list(self._ends_of_lines())
        self._line_begins = list(self._begins_of_lines())

    def spans(self) -> list[tuple[int, int]]:
        """The first word of each cue, and the word after its last."""
        count = len(self._run.words)
        best = [0.0] + [float("inf")] * count
        came_from = [0] * (count + 1)
        for first in range(count):
            for last in range(first, self._furthest(first) + 1):
                cost = best[first] + self._cost(first, last)
                if cost < best[last + 1]:
                    best[last + 1], came_from[last + 1] = cost, first
        spans, end = [], count
        while end:
            spans.append((came_from[end], end))
            end = came_from[end]
        return spans[::-1]

    def _ends_of_lines(self) -> Iterator[int]:
        """For each word, the last one that fits on a line that begins with it."""
        last = 0
        for first, begin in enumerate(self._begins):
            last = max(last, first)
            while last + 1 < len(self._ends) and self._ends[last + 1] - begin <= LINE_COLUMNS:
                last += 1
            yield last

    def _begins_of_lines(self) -> Iterator[int]:
        """For each word, the first one that fits on a line that ends with it."""
        first = 0
        for end in self._ends:
            while end - self._begins[first] > LINE_COLUMNS:
                first += 1
            yield first

    def _furthest(self, first: int) -> int:
        """The last word that can be in a cue that begins with the word `first`, by its width and by its time."""
        words = self._run.words
        last = self._line_ends[first]
        if last + 1 < len(words):
            last = self._line_ends[last + 1]
        while last > first and words[last].end_ms - words[first].start_ms > LONGEST_MS:
            last -= 1
        return last

    def _cost(self, first: int, last: int) -> float:
        words = self._run.words
        count = len(words)
        is_last = last + 1 == count
        cost = _EACH_CUE + (0 if is_last else self._joints[last])
        if not is_last and not self._sentence_ends[last] and self._sentences[last] > self._sentences[first]:
            cost += _SENTENCE_BEGUN
        cost += _PAUSE_INSIDE * (self._pauses[last] - self._pauses[first])
        if self._line_ends[first] < last:
            cost += _BETWEEN_LINES * min(self._joints[self._line_begins[last] - 1 : self._line_ends[first] + 1])
        if last - first < _FEW and not self._is_whole(first, last):
            cost += _LONE_WORD if last == first else _FEW_WORDS
        next_start = self._run.next_start_ms if is_last else words[last + 1].start_ms
        if next_start is not None:
            time_ms = min(next_start - words[first].start_ms, LONGEST_MS)
            needed_ms = _reading_ms(self._ends[last] - self._begins[first])
            cost += _PER_SECOND_TOO_SHORT * max(0, SHORTEST_MS - time_ms) / 1000
            cost += _PER_SECOND_TOO_FAST * max(0, needed_ms - time_ms) / 1000
        return cost

    def _is_whole(self, first: int, last: int) -> bool:
        """Whether it is a complete sentence, or all there is."""
        begins = first == 0 or self._sentence_ends[first - 1]
        return begins and (last + 1 == len(self._run.words) or self._sentence_ends[last])


def _timed(pieces: Sequence[_Piece], breaks: LineBreaks) -> Iterator[Cue]:
    """Each cue from its first word until it has been read, or the next begins."""
    starts: list[int] = []
    for piece in pieces:
        # Words may begin in the same millisecond, cues may not.
        starts.append(max(piece.words[0].start_ms, starts[-1] + 1 if starts else 0))
    for piece, start, following in zip(pieces, starts, [*starts[1:], None], strict=False):
        lines = tuple(_lines(piece, breaks))
        columns = sum(columns_of(line) for line in lines) + len(lines) - 1
        readable = start + min(LONGEST_MS, max(SHORTEST_MS, _reading_ms(columns)))
        end = max(piece.words[-1].end_ms, readable)
        yield Cue(start, end if following is None else min(end, following), lines, piece.label, piece.begins_turn)


def _reading_ms(columns: int) -> int:
    return columns * 1000 // COLUMNS_PER_SECOND


_PER_COLUMN_OF_DIFFERENCE = 0.25
_UPPER_IS_LONGER = 1.0


def _lines(piece: _Piece, breaks: LineBreaks) -> Iterator[str]:
    words, before = piece.words, piece.columns_before
    whole = _joined(words)
    if before + columns_of(whole) <= LINE_COLUMNS:
        yield whole
        return
    upper, lower = min(
        ((_joined(words[:index]), _joined(words[index:]), index) for index in range(1, len(words))),
        key=lambda at: _cost_of_lines(before + columns_of(at[0]), columns_of(at[1]), words, at[2], breaks),
    )[:2]
    yield upper
    yield lower


def _cost_of_lines(upper: int, lower: int, words: Sequence[TimedWord], index: int, breaks: LineBreaks) -> float:
    if max(upper, lower) > LINE_COLUMNS:
        return float("inf")
    cost = breaks.cost(words[index - 1], words[index]) + _PER_COLUMN_OF_DIFFERENCE * abs(upper - lower)
    return cost + (_UPPER_IS_LONGER if upper > lower else 0)


def _joined(words: Sequence[TimedWord]) -> str:
    return "".join(f" {word.text}" if word.is_spaced and place else word.text for place, word in enumerate(words))
