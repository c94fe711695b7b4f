"""The port to note writers, which turn a transcript into a clinical note, and their errors."""

from enum import StrEnum
from typing import ClassVar, Protocol, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field

from adapters.speech.transcript import Transcript


class Section(StrEnum):
    """The four parts of a SOAP note, in their order."""

    SUBJECTIVE = "subjective"
    OBJECTIVE = "objective"
    ASSESSMENT = "assessment"
    PLAN = "plan"


class Heading(StrEnum):
    """What a sentence is about within its section, in the order in which headings are shown."""

    CHIEF_COMPLAINT = "chief_complaint"
    HISTORY = "history"
    MEDICAL_HISTORY = "medical_history"
    MEDICATIONS = "medications"
    ALLERGIES = "allergies"
    FAMILY_AND_SOCIAL = "family_and_social"
    EXAMINATION = "examination"
    RESULTS = "results"
    ASSESSMENT = "assessment"
    PLAN = "plan"

    @property
    def section(self) -> Section:
        return _SECTION_OF.get(self, Section.SUBJECTIVE)


_SECTION_OF = {
    Heading.EXAMINATION: Section.OBJECTIVE,
    Heading.RESULTS: Section.OBJECTIVE,
    Heading.ASSESSMENT: Section.ASSESSMENT,
    Heading.PLAN: Section.PLAN,
}


class Source(BaseModel):
    """Where a sentence is in the transcript.

    Words are counted from 0, `to_word` is not included; `start` and `end` are the seconds between which they were said.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    from_word: int = Field(ge=0)
    to_word: int = Field(ge=1)
    start: float = Field(ge=0)
    end: float


class Sentence(BaseModel):
    """One sentence of a note. Without a source, nothing says where in the transcript it comes from.

    `further_sources`: where else the words are that it rests on. `heading`: what it is about. `problem`: the one that
    it assesses or plans for, in the transcript's words. Both are None where nothing tells.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1)
    source: Source | None
    heading: Heading | None = None
    problem: str | None = None
    further_sources: tuple[Source, ...] = ()


class Unsupported(StrEnum):
    """Why a statement is left out of a note."""

    NOT_CITED = "not_cited"
    """It does not quote the words that it rests on."""

    LINE_UNKNOWN = "line_unknown"
    """It names a line that there is not."""

    QUOTE_NOT_FOUND = "quote_not_found"
    """What it quotes was not said."""

    NUMBER_NOT_CITED = "number_not_cited"
    """It has a number that is not in the words that it quotes."""


class UnsupportedStatement(BaseModel):
    """A statement that is left out of the note. It may be invented."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    section: Section
    text: str = Field(min_length=1)
    reason: Unsupported


class Note(BaseModel):
    """A note. It is always a draft: someone who was there has to review it. `engine` names what wrote it.

    `is_worded`: whether its sentences are the writer's own wording, and their sources what they rest on. Otherwise
    those with a source are quotations. `unsupported` is what the writer stated and is not in the note.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sections: dict[Section, tuple[Sentence, ...]]
    engine: str
    language: str
    is_worded: bool = False
    unsupported: tuple[UnsupportedStatement, ...] = ()

    @property
    def unsupported_share(self) -> float:
        """Of the writer's statements, the share that is left out."""
        return share_of(len(self.unsupported), sum(map(len, self.sections.values())))

    @classmethod
    def from_json(cls, stored: bytes) -> Self:
        """Raises ValueError when it is not a note."""
        return cls.model_validate(orjson.loads(stored))

    def to_json(self) -> bytes:
        return orjson.dumps(self.model_dump(mode="json"))


def share_of(left_out: int, kept: int) -> float:
    """To four places; 0 if there is nothing."""
    return round(left_out / (left_out + kept), 4) if left_out else 0.0


class NoteWriter(Protocol):
    """Writes notes, any number at a time."""

    @property
    def name(self) -> str:
        """The writer's name in notes."""

    async def write(self, transcript: Transcript) -> Note:
        """The note, with all sections; those that nothing was said for are empty.

        Raises: NoteNotWritten.
        """


class NoteNotWritten(Exception):
    """`str(error)` is one sentence for people, with nothing from the transcript. `reason`: a code for programs."""

    reason: ClassVar[str] = "note_writer_refused"
    is_retryable: ClassVar[bool] = False


class NoteWriterUnavailable(NoteNotWritten):
    """The writer cannot be reached, or is overloaded: a later try may succeed."""

    reason = "note_writer_unavailable"
    is_retryable = True


class NoteUnusable(NoteNotWritten):
    """The answer is not a note with the requested sections; the next one may be."""

    reason = "note_unusable"
    is_retryable = True
