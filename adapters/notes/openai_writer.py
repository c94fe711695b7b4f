"""Note writer at any OpenAI-compatible endpoint; promises that every sentence cites words of the transcript.

The prompt is in `prompt.md`. An answer that is not a JSON object of exactly the four sections is refused. A statement
whose citations do not hold, or whose numbers are not in what it cites, is not in the note but beside it.

Whether the cited words mean what the statement says is for the reader to judge.
"""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.notes.asking_in_parts import asked_in_parts
from adapters.notes.chat_endpoint import ChatEndpoint
from adapters.notes.citations import CitedLines
from adapters.notes.compared_words import compared_words
from adapters.notes.note import Note, NoteUnusable, Section, Sentence, UnsupportedStatement
from adapters.notes.numbered_lines import NumberedLine, transcript_in_parts
from adapters.notes.written_statements import MOST_STATEMENTS, Statement, as_statement
from adapters.speech.transcript import Transcript

PROMPT = Path(__file__).with_name("prompt.md").read_text(encoding="utf-8")

_Statements = Field(max_length=MOST_STATEMENTS)


class _Sections(BaseModel):
    """The answer that the prompt asks for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    subjective: list[Any] = _Statements
    objective: list[Any] = _Statements
    assessment: list[Any] = _Statements
    plan: list[Any] = _Statements


class OpenAINoteWriter:
    """Writes the notes of consultations. `part_characters`: as much of a transcript is sent at once."""

    name = "openai"

    def __init__(self, endpoint: ChatEndpoint, *, part_characters: int) -> None:
        self._endpoint = endpoint
        self._part_characters = part_characters

    async def write(self, transcript: Transcript) -> Note:
        """One try. Raises: NoteWriterUnavailable, NoteUnusable, NoteNotWritten."""
        parts = await asyncio.to_thread(transcript_in_parts, transcript, self._part_characters)
        answers = await asked_in_parts(self._endpoint, PROMPT, parts)
        return await asyncio.to_thread(_note, transcript, parts, answers)


def _note(transcript: Transcript, parts: Sequence[Sequence[NumberedLine]], answers: Sequence[dict[str, Any]]) -> Note:
    """Raises: NoteUnusable."""
    kept: dict[Section, list[Sentence]] = {section: [] for section in Section}
    left_out: list[UnsupportedStatement] = []
    for lines, answer in zip(parts, answers, strict=True):
        cited = CitedLines(lines, language=transcript.language)
        for section, written in _sections(answer):
            looked_up = [_looked_up(as_statement(one), section, cited) for one in written]
            kept[section] += [one for one in looked_up if isinstance(one, Sentence)]
            left_out += [one for one in looked_up if isinstance(one, UnsupportedStatement)]
    if transcript.text and not any(kept.values()):
        raise NoteUnusable(_NOTHING_HOLDS if left_out else "The note writer returned an empty note.")
    sections = {section: _once(sentences) for section, sentences in kept.items()}
    return Note(
        sections=sections,
        engine=OpenAINoteWriter.name,
        language=transcript.language,
        is_worded=True,
        unsupported=_once_besides(left_out, sections),
    )


def _looked_up(statement: Statement, section: Section, cited: CitedLines) -> Sentence | UnsupportedStatement:
    found = cited.lookup(statement.text, statement.cites)
    if found.unsupported is not None:
        return UnsupportedStatement(section=section, text=statement.text, reason=found.unsupported)
    source, *further = found.sources
    return Sentence(text=statement.text, source=source, further_sources=tuple(further))


_NOTHING_HOLDS = "Nothing that the note writer cites is in the transcript."


def _sections(answer: dict[str, Any]) -> Iterable[tuple[Section, list[Any]]]:
    try:
        sections = _Sections.model_validate(answer)
    except ValidationError:
        raise NoteUnusable("The note writer's answer is not a note of the four sections.") from None
    return [(section, getattr(sections, section)) for section in Section]


def _once(sentences: Iterable[Sentence]) -> tuple[Sentence, ...]:
    """Without those whose words an earlier one has: parts of a conversation repeat each other."""
    first: dict[tuple[str, ...], Sentence] = {}
    for sentence in sentences:
        first.setdefault(tuple(compared_words(sentence.text)), sentence)
    return tuple(first.values())


def _once_besides(
    left_out: Iterable[UnsupportedStatement], kept: dict[Section, tuple[Sentence, ...]]
) -> tuple[UnsupportedStatement, ...]:
    """Without those that are kept in their section, since another citation of them holds."""
    known = {(section, *compared_words(one.text)) for section, sentences in kept.items() for one in sentences}
    first: dict[tuple[str, ...], UnsupportedStatement] = {}
    for one in left_out:
        key = (one.section, *compared_words(one.text))
        if key not in known:
            first.setdefault(key, one)
    return tuple(first.values())
