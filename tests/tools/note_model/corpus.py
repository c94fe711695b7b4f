"""Consultations and the notes written after them, as transcripts and as references.

The files have the columns dialogue and note (see the data's own README.md). A turn begins with "[doctor]" or
"[patient]".
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adapters.notes.note import Heading
from adapters.speech.transcript import Transcript, TranscriptSegment
from tests.places import SHARED_DATA

NOTES_FOLDER = SHARED_DATA / "notes"
_TURN = re.compile(r"\[(\w+)\]\s*(.*)")
_SPEAKERS = {"doctor": "S1", "patient": "S2"}


@dataclass(frozen=True, slots=True)
class Turn:
    tag: str
    text: str


@dataclass(frozen=True, slots=True)
class ReferenceLine:
    """`heading`: None for what no section of ours has."""

    text: str
    heading: Heading | None


@dataclass(frozen=True, slots=True)
class Example:
    turns: tuple[Turn, ...]
    note: str

    @property
    def lines(self) -> list[ReferenceLine]:
        return list(reference_lines(self.note))


def examples(path: Path) -> list[Example]:
    with path.open(encoding="utf-8", newline="") as file:
        return [Example(tuple(_turns(row["dialogue"])), row["note"]) for row in csv.DictReader(file)]


def _turns(dialogue: str) -> Iterator[Turn]:
    """What stands before the first tag is the doctor's."""
    tag, said = "doctor", ""
    for line in dialogue.splitlines():
        begun = _TURN.match(line)
        if begun is None:
            said = f"{said} {line}"
            continue
        if said.split():
            yield Turn(tag, " ".join(said.split()))
        tag, said = begun[1], begun[2]
    if said.split():
        yield Turn(tag, " ".join(said.split()))


def as_written(example: Example) -> Transcript:
    """With speakers' labels in place of the tags, each turn a segment."""
    return _transcript([(turn.text, _SPEAKERS.get(turn.tag, turn.tag)) for turn in example.turns])


def without_speakers(example: Example) -> Transcript:
    return _transcript([(turn.text, None) for turn in example.turns])


def as_people_write(example: Example) -> Transcript:
    """With speakers, and with "don't," for the corpus's "do n't ,"."""
    return _transcript([(_joined(turn.text), _SPEAKERS.get(turn.tag, turn.tag)) for turn in example.turns])


def as_engines_hear_it(example: Example) -> Transcript:
    """A segment for each sentence, without speakers."""
    sentences = (part for turn in example.turns for part in re.split(r"(?<=[.?!]) ", _joined(turn.text)))
    return _transcript([(sentence, None) for sentence in sentences])


def words_alone(example: Example) -> Transcript:
    """Without punctuation and speakers."""
    texts = (re.sub(r"[^\w' %/-]", " ", _joined(turn.text)) for turn in example.turns)
    return _transcript([(" ".join(text.split()), None) for text in texts])


def _joined(text: str) -> str:
    """The corpus puts spaces before punctuation and within contractions."""
    text = re.sub(r" (n't\b|'\w+)", r"\1", text)
    text = re.sub(r"\b(gon|wan|got) (na|ta)\b", r"\1\2", text)
    return re.sub(r" ([.,?!;:%])", r"\1", text)


def _transcript(texts: list[tuple[str, str | None]]) -> Transcript:
    said = [(text, speaker) for text, speaker in texts if text.strip()]
    segments = [
        TranscriptSegment(start=float(second), end=second + 1.0, text=text, speaker=speaker)
        for second, (text, speaker) in enumerate(said)
    ]
    return Transcript.of_segments(
        segments, language="en", engine="corpus", provider=None, duration_ms=1000 * len(segments)
    )


_HEADINGS = (
    (r"chief complaint|cc$|reason for visit", Heading.CHIEF_COMPLAINT),
    (r"history of present|hpi|review of systems|ros$|subjective", Heading.HISTORY),
    (r"family|social|birth", Heading.FAMILY_AND_SOCIAL),
    (r"(?:current )?medications?$", Heading.MEDICATIONS),
    (r"allergies", Heading.ALLERGIES),
    (r"(?:past |surgical |medical |past medical |past surgical )+history|problem list", Heading.MEDICAL_HISTORY),
    (r"vitals|vital signs|physical exam|exam$|examination|objective", Heading.EXAMINATION),
    (r"results|procedure|labs?$|imaging", Heading.RESULTS),
    (r"assessment|impression|diagnos", Heading.ASSESSMENT),
    (r"plan$|instructions|recommendations", Heading.PLAN),
)
_REASONING = re.compile(
    r"medical reasoning|suspect|consistent with|diagnos|likely|appears|stable|well.controlled", re.IGNORECASE
)
_TO_DO = re.compile(
    r"treatment|testing|education|counseling|patient agreement|\b(?:will|continue|order|start|refer|recommend|advised|"
    r"prescri|follow|encourage|increase|schedule|discussed|should|return|call)",
    re.IGNORECASE,
)


def reference_lines(note: str) -> Iterator[ReferenceLine]:
    """The lines of a reference note with the heading each stands under.

    Assessment and plan are often one section, and a plan often begins with what is planned for: what is done tells.
    """
    heading: Heading | None = None
    for line in note.splitlines():
        text = line.strip()
        found = _heading_in(text)
        if found is not None:
            heading = found
        elif text:
            yield from (
                ReferenceLine(part, _told_apart(part, heading)) for part in re.split(r"(?<=[.;]) (?=[A-Z•-])", text)
            )


def _heading_in(line: str) -> Heading | None:
    name = line.rstrip(":").strip()
    if name != name.upper() or not any(letter.isalpha() for letter in name):
        return None
    return next((heading for words, heading in _HEADINGS if re.match(words, name.lower())), None)


def _told_apart(text: str, heading: Heading | None) -> Heading | None:
    if heading is Heading.ASSESSMENT and not _REASONING.search(text) and _TO_DO.search(text):
        return Heading.PLAN
    if heading is Heading.PLAN and _REASONING.search(text) and not _TO_DO.search(text):
        return Heading.ASSESSMENT
    return heading
