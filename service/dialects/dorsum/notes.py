"""A note as Dorsum's clients get it: as readable text, or as one JSON object (D)."""

from collections.abc import Iterator, Sequence

import orjson

from adapters.notes.note import Heading, Note, Section, Sentence, Source
from service.dialects.dorsum.requests import OutputFormat

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
_WRITTEN = "It was written by a language model from the transcript."


def rendered(note: Note, output_format: OutputFormat) -> str:
    """The same note and format always give the same text."""
    return _as_json(note) if output_format == "json" else _as_text(note)


def _as_json(note: Note) -> str:
    sections = {section.value: [_sentence(sentence) for sentence in note.sections[section]] for section in Section}
    shown = {"sections": sections, "engine": note.engine, "draft": True, "language": note.language}
    return orjson.dumps(shown).decode()


def _sentence(sentence: Sentence) -> dict[str, object]:
    return {
        "text": sentence.text,
        "source": sentence.source.model_dump() if sentence.source else None,
        "heading": sentence.heading,
        "problem": sentence.problem,
    }


def _as_text(note: Note) -> str:
    sentences = [sentence for section in Section for sentence in note.sections[section]]
    how = _QUOTED if all(sentence.source for sentence in sentences) else _WRITTEN
    parts = [f"DRAFT, to be reviewed by a clinician. {how}"]
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


def _time(source: Source | None) -> str:
    return f" [{_minutes(source.start)}-{_minutes(source.end)}]" if source else ""


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"
