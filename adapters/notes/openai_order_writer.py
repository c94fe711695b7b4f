"""Writer of ordered notes at any OpenAI-compatible endpoint; promises that each text and number cites the transcript.

The rules are in `order_prompt.md`; what is asked for follows them. The transcript is a message of its own. By a
template, an answer that does not have exactly the template's parts is refused; its estimates cite nothing. Texts and
numbers whose citations do not hold are not in the note but beside it, as `adapters.notes.citations` says.
"""

import asyncio
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import orjson

from adapters.notes.asking_in_parts import asked_in_parts
from adapters.notes.chat_endpoint import ChatEndpoint
from adapters.notes.citations import CitedLines
from adapters.notes.cited_values import Supported, merged, once, plain
from adapters.notes.note import NoteUnusable
from adapters.notes.numbered_lines import NumberedLine, transcript_in_parts
from adapters.notes.orders import (
    MOST_OUTPUT_BYTES,
    MOST_OUTPUT_LEVELS,
    ByTemplate,
    OrderedNote,
    UnsupportedValue,
    Wish,
    is_deeper,
)
from adapters.notes.templates import TEMPLATES, Part, PartKind
from adapters.notes.written_statements import CITES, TEXT, as_statement
from adapters.speech.transcript import Transcript

RULES = Path(__file__).with_name("order_prompt.md").read_text(encoding="utf-8")

_KINDS = {
    PartKind.SENTENCES: "a list of statements, which is empty where nothing was said",
    PartKind.TEXT: "one statement, or null where nothing was said",
    PartKind.SHARE: "a number from 0 to 1, which cites nothing, or null where nothing that was said tells",
}
_LEVELS_OF_A_STATEMENT = 3


class OpenAIOrderWriter:
    """Writes what was ordered. `part_characters`: as much of a transcript is sent at once."""

    name = "openai"

    def __init__(self, endpoint: ChatEndpoint, *, part_characters: int) -> None:
        self._endpoint = endpoint
        self._part_characters = part_characters

    async def write(self, transcript: Transcript, wish: Wish) -> OrderedNote:
        """One try. Raises: NoteWriterUnavailable, NoteUnusable, NoteNotWritten."""
        parts = await asyncio.to_thread(transcript_in_parts, transcript, self._part_characters)
        answers = await asked_in_parts(self._endpoint, instructions(wish), parts)
        return await asyncio.to_thread(_note, transcript, wish, parts, answers)


def instructions(wish: Wish) -> str:
    """What the model is told to write."""
    if isinstance(wish, ByTemplate):
        lines = [f"- `{part.name}`: {part.about} ({_KINDS[part.kind]})" for part in TEMPLATES[wish.template]]
        return "\n".join([RULES, "It has exactly these keys:\n", *lines, ""])
    return f"{RULES}\n{_BY_PROMPT}\n\n{wish.prompt}\n"


_BY_PROMPT = (
    "Give it the keys that suit what is asked for. Wherever it has a text or a number, it has a statement of the form "
    "above, with that text or number as its `text`. This is asked for:"
)


def _note(
    transcript: Transcript, wish: Wish, parts: Sequence[Sequence[NumberedLine]], answers: Sequence[dict[str, Any]]
) -> OrderedNote:
    """Raises: NoteUnusable."""
    kept: list[Any] = []
    left_out: list[UnsupportedValue] = []
    for lines, answer in zip(parts, answers, strict=True):
        if is_deeper(answer, MOST_OUTPUT_LEVELS + _LEVELS_OF_A_STATEMENT):
            raise NoteUnusable(_TOO_DEEP)
        supported = Supported(CitedLines(lines, language=transcript.language))
        kept.append(_in_parts(wish, answer, supported) if isinstance(wish, ByTemplate) else _any(answer, supported))
        left_out += supported.left_out
    output, sources = plain(reduce(merged, kept, {}))
    if not sources:
        raise NoteUnusable(
            "Nothing that the note writer cites is in the transcript."
            if left_out
            else "The note writer returned an empty note."
        )
    if is_deeper(output, MOST_OUTPUT_LEVELS):
        raise NoteUnusable(_TOO_DEEP)
    if len(orjson.dumps(output)) > MOST_OUTPUT_BYTES:
        raise NoteUnusable(f"The note writer returned a note of more than {MOST_OUTPUT_BYTES} bytes.")
    return OrderedNote(
        output=output,
        engine=OpenAIOrderWriter.name,
        language=transcript.language,
        sources=tuple(sources),
        unsupported=tuple(left_out),
    )


_TOO_DEEP = "The note writer's answer is nested too deeply."


def _any(written: dict[str, Any], supported: Supported) -> Any:
    """What answers a prompt; one statement alone is made an object."""
    return supported.of({TEXT: written} if CITES in written else written, ())


def _in_parts(wish: ByTemplate, written: dict[str, Any], supported: Supported) -> dict[str, Any]:
    """Raises: NoteUnusable, which does not quote the answer."""
    parts = TEMPLATES[wish.template]
    if written.keys() != {part.name for part in parts}:
        raise NoteUnusable("The note writer's answer does not have exactly the parts of the template.")
    return {part.name: _part(part, written[part.name], supported) for part in parts}


def _part(part: Part, written: Any, supported: Supported) -> Any:
    if part.kind is PartKind.SHARE and _is_share(written):
        return written
    if part.kind is PartKind.TEXT and (written is None or written == ""):
        return None
    if part.kind is PartKind.TEXT:
        return supported.of(as_statement(written).as_written, (part.name,))
    if part.kind is PartKind.SENTENCES and isinstance(written, list):
        return once(supported.of([as_statement(one).as_written for one in written], (part.name,)))
    raise NoteUnusable(f"The note writer's answer has something else than {part.kind} in {part.name}.")


def _is_share(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and 0 <= value <= 1)
