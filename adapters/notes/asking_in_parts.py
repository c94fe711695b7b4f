"""A chat endpoint asked about a transcript, in as many parts as are needed; promises all of them, in order, or none."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from adapters.notes.chat_endpoint import ChatEndpoint
from adapters.notes.note import NoteNotWritten, NoteWriterUnavailable
from adapters.notes.numbered_lines import NumberedLine, written_out

AT_ONCE = 4
"""Parts that are asked about at the same time."""


async def asked_in_parts(
    endpoint: ChatEndpoint, instructions: str, parts: Sequence[Sequence[NumberedLine]]
) -> list[dict[str, Any]]:
    """The JSON object that the model writes of each part, all within the endpoint's time.

    If one fails, the others are not waited for. Raises: NoteWriterUnavailable, NoteUnusable, NoteNotWritten.
    """
    turns = asyncio.Semaphore(AT_ONCE)

    async def asked(part: Sequence[NumberedLine]) -> dict[str, Any]:
        async with turns:
            return await endpoint.json_object(instructions=instructions, material=written_out(part))

    try:
        async with asyncio.timeout(endpoint.timeout_seconds):
            return await _all_of([asked(part) for part in parts])
    except TimeoutError as error:
        raise NoteWriterUnavailable("The note writer did not answer in time.") from error


async def _all_of(asked: Iterable[Coroutine[Any, Any, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Of several failures at the same moment, one that no other try can help is raised."""
    failures: list[NoteNotWritten] = []
    try:
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(each) for each in asked]
    except* NoteNotWritten as failed:
        failures += [error for error in failed.exceptions if isinstance(error, NoteNotWritten)]
    if failures:
        raise min(failures, key=lambda error: error.is_retryable)
    return [each.result() for each in asking]
