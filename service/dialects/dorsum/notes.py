"""A note as Dorsum's clients get it: as readable text, or as one JSON object (D)."""

from collections.abc import Iterator, Sequence

import orjson

from adapters.notes.note import Heading, Note, Section, Sentence, Source
from domain.events import NoteEdited
from service.dialects.dorsum.requests import OutputFormat
from service.dialects.http.json_answers import utc_text

_TITLES = {
    Section.SUBJECTIVE: "Subjective",
    Section.OBJECTIVE: "Objective",
    Section.ASSESSMENT: "Assessment",
    Section.PLAN: "Plan",
}
_HEADINGS = {
    Heading.CHIEF_COMPLAINT: "Chief complaint",
    Heading.HISTORY: "History",
    Heading.MEDICAL_HISTORY: "Medical history",
    Heading.MEDICATIONS: "Medications",
    Heading.ALLERGIES: "Allergies",
    Heading.FAMILY_AND_SOCIAL: "Family and social history",
    Heading.EXAMINATION: "Examination",
    Heading.RESULTS: "Results",
}
"""In the order in which they are shown. What is assessed or planned stands under its problem instead."""

_QUOTED = "Every sentence is quoted from the transcript; the time says where it was said."
_EDITED = "A time says where in the transcript its sentence comes from."
_WRITTEN = "It was written by a language model from the transcript."
_CITED = f"{_WRITTEN} The time says where the words are that a sentence rests on."


def rendered(note: Note, output_format: OutputFormat, edited: NoteEdited | None = None) -> str:
    """The same note and format always give the same text. `edited`: how a person made it what it is."""
    return _as_json(note, edited) if output_format == "json" else _as_text(note, edited)


def _as_json(note: Note, edited: NoteEdited | None) -> str:
    sections = {section.value: [_sentence(sentence) for sentence in note.sections[section]] for section in Section}
    unsupported = [one.model_dump(mode="json") for one in note.unsupported]
    shown = {
        "sections": sections,
        "engine": note.engine,
        "draft": edited is None,
        "language": note.language,
        "unsupported": unsupported,
    }
    if edited is not None:
        shown |= {"edited": True, "author": edited.author, "edited_at": utc_text(edited.at)}
    return orjson.dumps(shown).decode()


def _sentence(sentence: Sentence) -> dict[str, object]:
    return {
        "text": sentence.text,
        "source": sentence.source.model_dump() if sentence.source else None,
        "heading": sentence.heading,
        "problem": sentence.problem,
    }


def _as_text(note: Note, edited: NoteEdited | None) -> str:
    head = f"DRAFT, to be reviewed by a clinician. {_how(note)}"
    if edited is not None:
        head = f"Edited by {edited.author} at {utc_text(edited.at)}. {_EDITED}"
    parts = [head]
    for section in Section:
        lines = list(_lines(note.sections[section])) or ["- (nothing in the transcript)"]
        parts.append("\n".join([f"{_TITLES[section]}:", *lines]))
    return "\n\n".join(parts)


def _lines(sentences: Sequence[Sentence]) -> Iterator[str]:
    """What stands under no heading, then each heading and what stands under it, in the conversation's order."""
    groups: dict[tuple[Heading | None, str | None], list[Sentence]] = {(None, None): []}
    groups |= {(heading, None): [] for heading in _HEADINGS}
    for sentence in sentences:
        heading = sentence.heading if sentence.heading in _HEADINGS and not sentence.problem else None
        groups.setdefault((heading, sentence.problem), []).append(sentence)
    for (heading, problem), its in groups.items():
        if its and problem:
            yield problem
        elif its and heading:
            yield _HEADINGS[heading]
        yield from (f"- {sentence.text}{_time(sentence.source)}" for sentence in its)


def _how(note: Note) -> str:
    has_sources = all(sentence.source for section in Section for sentence in note.sections[section])
    if not note.is_worded:
        return _QUOTED if has_sources else _WRITTEN  # notes of earlier versions cite nothing
    left_out = len(note.unsupported)
    if not left_out:
        return _CITED
    what = "1 sentence is left out: the transcript does not have the words that it cites"
    if left_out > 1:
        what = f"{left_out} sentences are left out: the transcript does not have the words that they cite"
    return f"{_CITED} {what}."


def _time(source: Source | None) -> str:
    return f" [{_minutes(source.start)}-{_minutes(source.end)}]" if source else ""


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"
