"""Writer of ordered notes at any OpenAI-compatible endpoint; promises to check the answer.

The rules are in `order_prompt.md`; what is asked for follows them. The transcript is a message of its own. By a
template, an answer that does not have exactly the template's parts is refused.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from adapters.notes.chat_endpoint import ChatEndpoint
from adapters.notes.note import NoteUnusable
from adapters.notes.orders import MOST_OUTPUT_BYTES, MOST_OUTPUT_LEVELS, ByTemplate, OrderedNote, Wish, is_deeper
from adapters.notes.templates import TEMPLATES, Part, PartKind
from adapters.speech.plain_text import plain_text
from adapters.speech.transcript import Transcript

RULES = Path(__file__).with_name("order_prompt.md").read_text(encoding="utf-8")

_KINDS = {
    PartKind.SENTENCES: "a list of sentences, which is empty where nothing was said",
    PartKind.TEXT: "a text, or null where nothing was said",
    PartKind.SHARE: "a number from 0 to 1, or null where nothing that was said tells",
}


class OpenAIOrderWriter:
    """Writes what was ordered."""

    name = "openai"

    def __init__(self, endpoint: ChatEndpoint) -> None:
        self._endpoint = endpoint

    async def write(self, transcript: Transcript, wish: Wish) -> OrderedNote:
        """One try. Raises: NoteWriterUnavailable, NoteUnusable, NoteNotWritten."""
        written = await self._endpoint.json_object(instructions=instructions(wish), material=plain_text(transcript))
        output = _in_parts(TEMPLATES[wish.template], written) if isinstance(wish, ByTemplate) else written
        if not any(value not in (None, [], "", {}) for value in output.values()):
            raise NoteUnusable("The note writer returned an empty note.")
        if is_deeper(output, MOST_OUTPUT_LEVELS):
            raise NoteUnusable("The note writer's answer is nested too deeply.")
        if len(orjson.dumps(output)) > MOST_OUTPUT_BYTES:
            raise NoteUnusable(f"The note writer returned a note of more than {MOST_OUTPUT_BYTES} bytes.")
        return OrderedNote(output=output, engine=self.name, language=transcript.language)


def instructions(wish: Wish) -> str:
    """What the model is told to write."""
    if isinstance(wish, ByTemplate):
        lines = [f"- `{part.name}`: {part.about} ({_KINDS[part.kind]})" for part in TEMPLATES[wish.template]]
        return "\n".join([RULES, "It has exactly these keys:\n", *lines, ""])
    return f"{RULES}\nGive it the keys that suit what is asked for. This is asked for:\n\n{wish.prompt}\n"


def _in_parts(parts: Sequence[Part], written: dict[str, Any]) -> dict[str, Any]:
    """Raises: NoteUnusable, which does not quote the answer."""
    if written.keys() != {part.name for part in parts}:
        raise NoteUnusable("The note writer's answer does not have exactly the parts of the template.")
    return {part.name: _checked(part, written[part.name]) for part in parts}


def _checked(part: Part, value: Any) -> Any:
    if not _FITS[part.kind](value):
        raise NoteUnusable(f"The note writer's answer has something else than {part.kind} in {part.name}.")
    if isinstance(value, str):
        return value.strip() or None
    return [sentence.strip() for sentence in value] if isinstance(value, list) else value


def _are_sentences(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(sentence, str) and sentence.strip() for sentence in value)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_share(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and 0 <= value <= 1)


_FITS: dict[PartKind, Callable[[Any], bool]] = {
    PartKind.SENTENCES: _are_sentences,
    PartKind.TEXT: _is_text,
    PartKind.SHARE: _is_share,
}
