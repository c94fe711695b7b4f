"""A note as Dorsum's clients get it: as readable text, or as one JSON object (D)."""

import orjson

from adapters.notes.note import Note, Section, Sentence, Source
from domain.events import NoteEdited
from service.dialects.dorsum.requests import OutputFormat
from service.dialects.http.json_answers import utc_text

_TITLES = {
    Section.SUBJECTIVE: "Subjective",
    Section.OBJECTIVE: "Objective",
    Section.ASSESSMENT: "Assessment",
    Section.PLAN: "Plan",
}
_QUOTED = "Every sentence is quoted from the transcript; the time says where it was said."
_EDITED = "Sentences with a time are quoted from the transcript as they were said."
_WRITTEN = "It was written by a language model from the transcript."


def rendered(note: Note, output_format: OutputFormat, edited: NoteEdited | None = None) -> str:
    """The same note and format always give the same text. `edited`: how a person made it what it is."""
    return _as_json(note, edited) if output_format == "json" else _as_text(note, edited)


def _as_json(note: Note, edited: NoteEdited | None) -> str:
    sections = {section.value: [_sentence(sentence) for sentence in note.sections[section]] for section in Section}
    shown = {"sections": sections, "engine": note.engine, "draft": edited is None, "language": note.language}
    if edited is not None:
        shown |= {"edited": True, "author": edited.author, "edited_at": utc_text(edited.at)}
    return orjson.dumps(shown).decode()


def _sentence(sentence: Sentence) -> dict[str, object]:
    return {"text": sentence.text, "source": sentence.source.model_dump() if sentence.source else None}


def _as_text(note: Note, edited: NoteEdited | None) -> str:
    sentences = [sentence for section in Section for sentence in note.sections[section]]
    how = _QUOTED if all(sentence.source for sentence in sentences) else _WRITTEN
    head = f"DRAFT, to be reviewed by a clinician. {how}"
    if edited is not None:
        head = f"Edited by {edited.author} at {utc_text(edited.at)}. {_EDITED}"
    parts = [head]
    for section in Section:
        lines = [f"- {sentence.text}{_time(sentence.source)}" for sentence in note.sections[section]]
        parts.append("\n".join([f"{_TITLES[section]}:", *(lines or ["- (nothing in the transcript)"])]))
    return "\n\n".join(parts)


def _time(source: Source | None) -> str:
    return f" [{_minutes(source.start)}-{_minutes(source.end)}]" if source else ""


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"
