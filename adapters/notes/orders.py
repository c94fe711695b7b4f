"""The port to writers of ordered notes: what someone wants to have written of a transcript, and what they get."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import orjson
from pydantic import BaseModel, ConfigDict

from adapters.notes.note import Source, Unsupported, share_of
from adapters.speech.transcript import Transcript
from domain.events import NoteTemplate

MOST_OUTPUT_BYTES = 256 * 1024
"""Of an ordered note as JSON: clients refuse answers of more than one mebibyte."""

MOST_OUTPUT_LEVELS = 64
"""Of objects and lists in one another: lists of notes have to be written, and read by clients in any language."""


@dataclass(frozen=True, slots=True)
class ByTemplate:
    """The note has the parts of this template (`adapters.notes.templates`), and no others but `quotations`."""

    template: NoteTemplate


@dataclass(frozen=True, slots=True)
class ByPrompt:
    """The note answers a prompt of the caller's own. It is a request about the transcript, and content."""

    prompt: str


Wish = ByTemplate | ByPrompt


Path = tuple[str | int, ...]
"""Of a value in an ordered note: keys of objects, and places in lists from 0."""


class CitedValue(BaseModel):
    """Where in the transcript the words are that a text or number of the output rests on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    sources: tuple[Source, ...]


class UnsupportedValue(BaseModel):
    """What is left out of the output. It may be invented. `path`: the keys under which it was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    value: Any
    reason: Unsupported


class OrderedNote(BaseModel):
    """A note as it was ordered. It is always a draft: someone who was there has to review it.

    `output` is a JSON object. `engine` names what wrote it. What that words itself has its `sources`, except for
    estimates, which are nobody's words; `unsupported` is what it stated and is not in the output. `about` says in words
    for people how quotations were chosen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: dict[str, Any]
    engine: str
    language: str
    about: str | None = None
    sources: tuple[CitedValue, ...] = ()
    unsupported: tuple[UnsupportedValue, ...] = ()

    @property
    def unsupported_share(self) -> float:
        """Of the writer's texts and numbers, the share that is left out."""
        return share_of(len(self.unsupported), len(self.sources))

    @classmethod
    def from_json(cls, stored: bytes) -> Self:
        """Raises ValueError when it is not such a note."""
        return cls.model_validate(orjson.loads(stored))

    def to_json(self) -> bytes:
        return orjson.dumps(self.model_dump(mode="json"))


class OrderWriter(Protocol):
    """Writes ordered notes, any number at a time."""

    @property
    def name(self) -> str:
        """The writer's name in notes."""

    async def write(self, transcript: Transcript, wish: Wish) -> OrderedNote:
        """The note, at most `MOST_OUTPUT_BYTES` of it and at most `MOST_OUTPUT_LEVELS` deep.

        What was not said is an empty list or None in it.

        Raises: NoteNotWritten.
        """


def is_deeper(output: Any, levels: int) -> bool:
    """Whether there are more than so many levels of objects and lists."""
    level = [output]
    for _ in range(levels + 1):
        level = [one for one in level if isinstance(one, dict | list)]
        if not level:
            return False
        level = [each for one in level for each in (one.values() if isinstance(one, dict) else one)]
    return True
