"""Any OpenAI-compatible chat endpoint, over HTTP; promises never to reveal its key, and to return only JSON objects.

`POST {base_url}/chat/completions`, as in OpenAI's API reference, with temperature 0. Whether the answer comes whole or
as a stream is up to the endpoint.
"""

import asyncio
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson

from adapters.notes.chat_answers import completed, streamed
from adapters.notes.note import NoteNotWritten, NoteUnusable, NoteWriterUnavailable

_CONNECT_TIMEOUT_SECONDS = 5.0
LARGEST_ANSWER_BYTES = 4_000_000
_END_OF_THINKING = "</think>"
_WORTH_ANOTHER_TRY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


class ChatEndpoint:
    """One endpoint and one model there."""

    def __init__(self, *, base_url: str, model: str, api_key: str | None, timeout_seconds: float) -> None:
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._model = model
        self._api_key = api_key
        self.timeout_seconds = timeout_seconds
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=_CONNECT_TIMEOUT_SECONDS)

    async def json_object(self, *, instructions: str, material: str) -> dict[str, Any]:
        """The JSON object that the model writes: `instructions` is the system's message, `material` the user's.

        One try. Raises: NoteWriterUnavailable, NoteUnusable, NoteNotWritten.
        """
        asked = {
            "model": self._model,
            "temperature": 0,
            "response_format": {"type": "json_object"},
            "messages": [{"role": "system", "content": instructions}, {"role": "user", "content": material}],
        }
        written = await self._post(orjson.dumps(asked))
        return await asyncio.to_thread(_object_in, written)

    async def _post(self, body: bytes) -> str:
        """What the model wrote."""
        headers = {"Content-Type": "application/json"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        try:
            # Redirects are not followed: they could send the key and the transcript anywhere.
            async with (
                aiohttp.ClientSession(timeout=self._timeout) as session,
                session.post(self._url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                _require_success(response.status)
                answer = await _body(response)
                is_stream = response.content_type == "text/event-stream"
        except TimeoutError as error:
            raise NoteWriterUnavailable("The note writer did not answer in time.") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise NoteWriterUnavailable(f"The connection to the note writer failed: {type(error).__name__}.") from error
        return await asyncio.to_thread(streamed if is_stream else completed, answer)


def _require_success(status: int) -> None:
    """Raises: NoteWriterUnavailable, NoteNotWritten."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _WORTH_ANOTHER_TRY:
        raise NoteWriterUnavailable(f"The note writer answered {status}.")
    if status != HTTPStatus.OK:
        raise NoteNotWritten(f"The note writer answered {status}.")


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Raises: NoteUnusable."""
    body = bytearray()
    async for block in response.content.iter_any():
        body += block
        if len(body) > LARGEST_ANSWER_BYTES:
            raise NoteUnusable("The note writer's answer is larger than any note.")
    return bytes(body)


def _object_in(written: str) -> dict[str, Any]:
    """The one object in what a model wrote.

    Some models think aloud before it, put it in a Markdown fence or introduce it, whatever the prompt says.

    Raises: NoteUnusable, which does not quote the answer.
    """
    answer = written.rpartition(_END_OF_THINKING)[2]
    try:
        found = orjson.loads(answer[answer.find("{") : answer.rfind("}") + 1])
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise NoteUnusable("The note writer's answer is not a JSON object.")
    return found
