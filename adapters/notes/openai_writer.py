"""Note writer at any OpenAI-compatible endpoint; promises to check the answer.

The prompt is in `prompt.md`. An answer that is not a JSON object of exactly the four sections is refused.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from adapters.notes.chat_endpoint import ChatEndpoint
from adapters.notes.note import Note, NoteUnusable, Section, Sentence
from adapters.speech.transcript import Transcript

PROMPT = Path(__file__).with_name("prompt.md").read_text(encoding="utf-8")

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


class _Sections(BaseModel):
    """The answer that the prompt asks for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    subjective: list[_Text]
    objective: list[_Text]
    assessment: list[_Text]
    plan: list[_Text]


class OpenAINoteWriter:
    """Writes the notes of consultations."""

    name = "openai"

    def __init__(self, endpoint: ChatEndpoint) -> None:
        self._endpoint = endpoint

    async def write(self, transcript: Transcript) -> Note:
        """One try. Raises: NoteWriterUnavailable, NoteUnusable, NoteNotWritten."""
        written = await self._endpoint.json_object(instructions=PROMPT, material=transcript.text)
        try:
            sections = _Sections.model_validate(written)
        except ValidationError:
            raise NoteUnusable("The note writer's answer is not a note of the four sections.") from None
        if transcript.text and not any(sections.model_dump().values()):
            raise NoteUnusable("The note writer returned an empty note.")
        return Note(
            sections={
                section: tuple(Sentence(text=text, source=None) for text in getattr(sections, section))
                for section in Section
            },
            engine=self.name,
            language=transcript.language,
        )
