"""What a model wrote, from a chat endpoint's answer: a `chat.completion`, or a stream of `chat.completion.chunk`s.

As in OpenAI's API reference. An answer that was cut off is none.
"""

from typing import Any

import orjson

from adapters.notes.note import NoteUnusable

_CUT_OFF = "length"
_DATA = b"data:"
_DONE = b"[DONE]"


def completed(body: bytes) -> str:
    """Raises: NoteUnusable, which does not quote the answer."""
    return _written(_choice(_loaded(body)), "message") or ""


def streamed(body: bytes) -> str:
    """The pieces of an event stream, put together. Raises: NoteUnusable, which does not quote the answer."""
    pieces, is_whole = [], False
    for line in body.splitlines():
        if not line.startswith(_DATA):
            continue
        data = line.removeprefix(_DATA).strip()
        if data == _DONE:
            is_whole = True
            break
        chunk = _loaded(data)
        if isinstance(chunk, dict) and chunk.get("choices") == []:  # the usage, at the end
            continue
        choice = _choice(chunk)
        pieces.append(_written(choice, "delta") or "")
        is_whole = is_whole or choice.get("finish_reason") is not None
    if not is_whole:
        raise NoteUnusable("The note writer's answer was cut off.")
    return "".join(pieces)


def _loaded(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise NoteUnusable("The note writer's answer is not JSON.") from None


def _choice(completion: Any) -> dict[str, Any]:
    """The first one."""
    choices = completion.get("choices") if isinstance(completion, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise NoteUnusable("The note writer's answer is not a chat completion.")
    if choices[0].get("finish_reason") == _CUT_OFF:
        raise NoteUnusable("The note writer's answer was cut off.")
    return choices[0]


def _written(choice: dict[str, Any], name: str) -> str | None:
    message = choice.get(name)
    written = message.get("content") if isinstance(message, dict) else None
    return written if isinstance(written, str) else None
