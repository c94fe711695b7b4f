"""What of a transcript can be quoted: statements without the words around them, and short answers with their question.

Each is a run of the transcript's words, unchanged. Questions alone, courtesies, fillers and halves of sentences are no
statements. "Any fever?" and "No" are one quotation, so that what was denied can be in a note.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adapters.notes.clauses import Clause, clauses
from adapters.notes.note import Source
from adapters.notes.spoken_words import (
    ANSWERS,
    DENIALS,
    FILLERS_BEFORE,
    INTRODUCTIONS,
    JUDGING_FILLERS,
    QUESTION,
    SUBJECTS,
    TAGS,
    is_courtesy,
)
from adapters.notes.statement_ends import (
    FEWEST_STATEMENT_WORDS,
    bare,
    bare_words,
    breaks_off,
    is_terse_finding,
    only_introduces,
    trimmed,
)
from adapters.speech.transcript import Transcript

MOST_ANSWER_WORDS = 7
FEWEST_WHOLE_WORDS = 4
"""Of an answer that says by itself what it is about."""

MOST_QUESTION_WORDS = 30
MOST_INTRODUCTION_WORDS = 12
MOST_STATEMENT_WORDS = 60
"""Longer runs without any end are cut, wherever that is: they cannot be read, either."""


@dataclass(frozen=True, slots=True)
class Quotable:
    """A statement, or a question with its answer.

    `words`: those of the statement, or of the question, as `bare` makes them. `answer`: those of the answer.
    `question`: those of the question before a statement. `turn`: the number of the speaker's turn. `is_courtesy`: says
    nothing about anything. `is_half`: breaks off.
    """

    text: str
    source: Source
    speaker: str | None
    turn: int
    words: tuple[str, ...]
    answer: tuple[str, ...] = ()
    question: tuple[str, ...] = ()
    is_question: bool = False
    is_courtesy: bool = False
    is_half: bool = False

    @property
    def is_statement(self) -> bool:
        return not self.is_courtesy and not self.is_half and (not self.is_question or bool(self.answer))


def words_said(transcript: Transcript) -> int:
    """How many: some engines and corpora write punctuation as words of its own."""
    return sum(bare(word) != "" for word in transcript.text.split())


@dataclass(frozen=True, slots=True)
class _Run:
    """Some words of a turn that are looked at together, from the word `start` on. `times`: of each one's segment."""

    words: list[str]
    start: int
    times: list[Source]
    speaker: str | None
    turn: int
    is_question: bool


def quotable(transcript: Transcript) -> list[Quotable]:
    """Everything that was said, in order: without what is around a statement, and each word at most once."""
    runs = list(_runs(transcript))
    found: list[Quotable] = []
    index = 0
    asked: tuple[str, ...] = ()
    while index < len(runs):
        run = runs[index]
        is_denied = not run.is_question and _is_denied(runs, index)
        answer_at = _answered_at(runs, index) if run.is_question or is_denied else None
        if answer_at is not None:
            found.append(_pair(runs[index : answer_at + 1], answer_at - index))
            asked = ()
            index = answer_at + 1
            continue
        is_tagged = not TAGS.isdisjoint(bare_words(run.words)[-1:])
        made = _statement(run, asked, is_question=run.is_question or (is_denied and is_tagged))
        if made is not None:
            found.append(made)
        if run.is_question:
            asked = bare_words(run.words)
        elif asked and made is not None and not made.is_courtesy:
            asked = ()
        index += 1
    return found


def _runs(transcript: Transcript) -> Iterator[_Run]:
    turn, previous = -1, None
    for parts in _joined(transcript):
        first = parts[0]
        if (
            previous is None
            or first.speaker != previous.speaker
            or (first.speaker is None and first.segment != previous.segment)
        ):
            turn += 1
        previous = parts[-1]
        words = [word for part in parts for word in part.text.split()]
        times = [part.source for part in parts for _ in part.text.split()]
        for at in range(0, len(words), MOST_STATEMENT_WORDS):
            to = at + MOST_STATEMENT_WORDS
            start = first.source.from_word + at
            yield _Run(words[at:to], start, times[at:to], first.speaker, turn, _asks(words[at:to]))


def _joined(transcript: Transcript) -> Iterator[list[Clause]]:
    """Clauses that are one sentence: "on your heart exam," and what it is about, and what an engine's segments cut."""
    has_case = any(letter.isupper() for letter in transcript.text)
    parts: list[Clause] = []
    for clause in clauses(transcript):
        if parts and not _belongs(parts[-1], clause, has_case=has_case):
            yield parts
            parts = []
        parts.append(clause)
    if parts:
        yield parts


def _belongs(before: Clause, clause: Clause, *, has_case: bool) -> bool:
    if before.speaker != clause.speaker:
        return False
    if before.segment != clause.segment:
        return has_case and clause.text[0].islower() and before.text[-1] not in ".?!…,"
    said = [word for word in bare_words(before.text.split()) if word not in FILLERS_BEFORE]
    return before.text.endswith(",") and 0 < len(said) <= MOST_INTRODUCTION_WORDS and said[0] in INTRODUCTIONS


def _asks(words: Sequence[str]) -> bool:
    """Not "I want you to rest, okay?"."""
    said = bare_words(words)
    if "?" in words[-1] and not (len(said) > FEWEST_STATEMENT_WORDS and said[-1] in TAGS):
        return True
    while said and said[0] in FILLERS_BEFORE:
        said = said[1:]
    return QUESTION.match(" ".join(said[:4]) + " ") is not None


def _is_denied(runs: Sequence[_Run], index: int) -> bool:
    """Whether somebody else says no to it: "You are allergic to penicillin, right?" "No." """
    if index + 1 == len(runs) or runs[index + 1].turn == runs[index].turn:
        return False
    said = [word for word in bare_words(runs[index + 1].words) if word not in FILLERS_BEFORE]
    return bool(said) and said[0] in DENIALS


def _answered_at(runs: Sequence[_Run], index: int) -> int | None:
    """Which run answers the question at `index` shortly: the first of another turn, or of another segment."""
    words, at = len(runs[index].words), index + 1
    while at < len(runs) and runs[at].is_question and runs[at].turn == runs[index].turn:
        if words > MOST_QUESTION_WORDS:
            return None
        words += len(runs[at].words)
        at += 1
    while at < len(runs) and runs[at].turn != runs[index].turn and _hesitates(runs[at].words):
        at += 1
    if at >= len(runs) or words > MOST_QUESTION_WORDS or not _asks_something(runs[index].words):
        return None
    answer = runs[at]
    said = [word for word in bare_words(answer.words) if word]
    is_another = answer.turn != runs[index].turn
    is_short = 0 < len(said) <= MOST_ANSWER_WORDS and not answer.is_question
    is_whole = len(said) >= FEWEST_WHOLE_WORDS and said[0] in SUBJECTS
    answers = is_short and not is_whole and (is_another or said[0] in ANSWERS) and _says_something(said)
    if not answers or breaks_off(answer.words) or is_courtesy(said):
        return None
    return at + 1 if len(said) == 1 and _adds(runs, at) else at


def _hesitates(words: Sequence[str]) -> bool:
    """ "Um." before an answer."""
    said = bare_words(words)
    return bool(said) and all(word in FILLERS_BEFORE - JUDGING_FILLERS and word not in ANSWERS for word in said)


def _adds(runs: Sequence[_Run], at: int) -> bool:
    """Whether the answer of one word goes on shortly: "Yes. Penicillin." """
    if at + 1 == len(runs):
        return False
    more = runs[at + 1]
    said = bare_words(more.words)
    is_short = 0 < len(said) < FEWEST_WHOLE_WORDS and not more.is_question and more.turn == runs[at].turn
    return is_short and _says_something(said) and not breaks_off(more.words) and not is_courtesy(said)


def _asks_something(words: Sequence[str]) -> bool:
    begin, end = trimmed(words)
    return bool(bare_words(words[begin:end]))


def _says_something(said: Sequence[str]) -> bool:
    return any(word in ANSWERS or word in JUDGING_FILLERS or word not in FILLERS_BEFORE for word in said)


def _pair(runs: Sequence[_Run], answer: int) -> Quotable:
    first, last = runs[0], runs[answer]
    begin, _ = trimmed(first.words)
    _, end = trimmed(last.words)
    end = max(end, _first_said(last.words) + 1)
    words = [word for run in runs[:answer] for word in run.words][begin:]
    answered = last.words[:end]
    return Quotable(
        " ".join([*words, *answered]),
        Source(
            from_word=first.start + begin,
            to_word=last.start + end,
            start=first.times[begin].start,
            end=last.times[end - 1].end,
        ),
        last.speaker,
        last.turn,
        bare_words(words),
        answer=bare_words(answered),
        is_question=True,
        is_courtesy=is_courtesy(bare_words(words)),
    )


def _first_said(words: Sequence[str]) -> int:
    return next(index for index, word in enumerate(words) if bare(word))


def _statement(run: _Run, asked: tuple[str, ...], *, is_question: bool) -> Quotable | None:
    """What the run says without the words around it; None if that is too little."""
    begin, end = trimmed(run.words)
    kept = run.words[begin:end]
    said = bare_words(kept)
    if len(said) < FEWEST_STATEMENT_WORDS and not is_terse_finding(kept):
        return None
    return Quotable(
        " ".join(kept),
        Source(
            from_word=run.start + begin,
            to_word=run.start + end,
            start=run.times[begin].start,
            end=run.times[end - 1].end,
        ),
        run.speaker,
        run.turn,
        said,
        question=asked,
        is_question=is_question,
        is_courtesy=is_courtesy(said),
        is_half=breaks_off(kept) or only_introduces(kept),
    )
