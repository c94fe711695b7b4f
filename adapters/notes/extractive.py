"""Note writer without a language model or a network: it quotes. Promises that every sentence is in the transcript.

A small model that has learned from consultations and their notes (`note_model.md`) says which sentences belong in a
note and where. They are chosen until the note is as long as notes of such conversations are. Nothing is rephrased,
completed or inferred.
"""

import asyncio

from adapters.notes.centrality import most_central
from adapters.notes.choosing import chosen
from adapters.notes.clauses import Clause, clauses
from adapters.notes.headings import headings_of, problems_of
from adapters.notes.note import Note, Section, Sentence
from adapters.notes.note_model import note_model
from adapters.notes.quotable import quotable, words_said
from adapters.speech.transcript import Transcript

MOST_CLAUSES_UNSORTED = 40
"""In a language whose words are not known. Of a longer conversation, those whose words are said again and again."""

Sections = dict[Section, list[Sentence]]


class ExtractiveNoteWriter:
    """Knows only spoken English: in other languages, what was said is in the first section, unsorted."""

    name = "extractive"

    async def write(self, transcript: Transcript) -> Note:
        """Quotations, each with its source. Never fails."""
        return await asyncio.to_thread(extract, transcript)


def extract(transcript: Transcript) -> Note:
    """The note. Each of its sentences is a run of the transcript's words, unchanged, in the conversation's order."""
    sections = _sorted(transcript) if is_english(transcript) else _unsorted(transcript)
    return Note(
        sections={section: tuple(sections.get(section, ())) for section in Section},
        engine=ExtractiveNoteWriter.name,
        language=transcript.language,
    )


def is_english(transcript: Transcript) -> bool:
    return transcript.language.partition("-")[0].lower() == "en"


def _sorted(transcript: Transcript) -> Sections:
    model, said = note_model(), quotable(transcript)
    judged = model.judged(said)
    quoted = chosen(judged, model.usual_words(words_said(transcript)))
    headings, problems = headings_of(judged, quoted), problems_of(judged)
    sections: Sections = {}
    for index, section in quoted.items():
        problem = problems[index] if section in _OF_PROBLEMS else None
        sections.setdefault(section, []).append(
            Sentence(text=said[index].text, source=said[index].source, heading=headings[index], problem=problem)
        )
    return sections


_OF_PROBLEMS = (Section.ASSESSMENT, Section.PLAN)


def _unsorted(transcript: Transcript) -> Sections:
    said: list[Clause] = list(clauses(transcript))
    if len(said) > MOST_CLAUSES_UNSORTED:
        said = most_central(said, MOST_CLAUSES_UNSORTED)
    return {Section.SUBJECTIVE: [Sentence(text=clause.text, source=clause.source) for clause in said]}
