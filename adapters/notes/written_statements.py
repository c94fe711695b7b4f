"""A statement as a language model writes it: {"cites": [{"line": 12, "quote": "…"}], "text": "…"}."""

from dataclasses import dataclass
from typing import Any

from adapters.notes.note import NoteUnusable

TEXT, CITES = "text", "cites"
MOST_STATEMENTS = 500
"""In one section, or under one key, of an answer."""

_LONGEST_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Statement:
    """`cites`: whatever the model wrote there."""

    text: str
    cites: Any

    @property
    def as_written(self) -> dict[str, Any]:
        return {TEXT: self.text, CITES: self.cites}


def as_statement(written: Any) -> Statement:
    """A text alone is a statement that cites nothing. Raises: NoteUnusable, which does not quote it."""
    text, cites = (written.get(TEXT), written.get(CITES)) if isinstance(written, dict) else (written, None)
    stripped = text.strip() if isinstance(text, str) else ""
    if not stripped:
        raise NoteUnusable("The note writer's answer has something else than statements in a section.")
    if len(stripped) > _LONGEST_CHARACTERS:
        raise NoteUnusable(f"The note writer's answer has a statement of more than {_LONGEST_CHARACTERS} characters.")
    return Statement(stripped, cites)
