"""The port to note writers: what turns a transcript into a clinical note, and how it says that it can not."""

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


class Source(BaseModel):
    """Where a sentence stands in the transcript.

    Words count from 0 up to before `to_word`; `start` and `end` are the seconds between which they were said.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    from_word: int = Field(ge=0)
    to_word: int = Field(ge=1)
    start: float = Field(ge=0)
    end: float


class Sentence(BaseModel):
    """One sentence of a note. Without a source it is the writer's own, and no quotation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1)
    source: Source | None


class Note(BaseModel):
    """A note, which is always a draft: someone who was there has to review it. `engine` names what wrote it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sections: dict[Section, tuple[Sentence, ...]]
    engine: str
    language: str

    @classmethod
    def from_json(cls, stored: bytes) -> Self:
        """Raises ValueError when it is no note."""
        return cls.model_validate(orjson.loads(stored))

    def to_json(self) -> bytes:
        return orjson.dumps(self.model_dump(mode="json"))


class NoteWriter(Protocol):
    """Writes notes, any number at a time."""

    @property
    def name(self) -> str:
        """What notes call the writer."""

    async def write(self, transcript: Transcript) -> Note:
        """The note, with every section in it, empty where nothing was said for it.

        Raises: NoteNotWritten.
        """


class NoteNotWritten(Exception):
    """`str(error)` is one sentence for people; it holds nothing of the transcript. `reason`: a code for programs."""

    reason: ClassVar[str] = "note_writer_refused"
    is_retryable: ClassVar[bool] = False


class NoteWriterUnavailable(NoteNotWritten):
    """It can not be reached, or is overloaded: a later try may succeed."""

    reason = "note_writer_unavailable"
    is_retryable = True


class NoteUnusable(NoteNotWritten):
    """What came back is not a note of the sections that were asked for; the next may be."""

    reason = "note_unusable"
    is_retryable = True
