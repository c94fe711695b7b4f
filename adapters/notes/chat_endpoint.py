"""Any OpenAI-compatible chat endpoint, over HTTP; promises never to reveal its key, and to return only JSON objects.

`POST {base_url}/chat/completions`, as in OpenAI's API reference, with temperature 0.
"""

from http import HTTPStatus
from typing import Any

import aiohttp
import orjson

from adapters.notes.note import NoteNotWritten, NoteUnusable, NoteWriterUnavailable

_CONNECT_TIMEOUT_SECONDS = 5.0
_LARGEST_ANSWER_BYTES = 4_000_000
_WORTH_ANOTHER_TRY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


class ChatEndpoint:
    """One endpoint and one model there."""

    def __init__(self, *, base_url: str, model: str, api_key: str | None, timeout_seconds: float) -> None:
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._model = model
        self._api_key = api_key
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
        return _object_in(await self._post(orjson.dumps(asked)))

    async def _post(self, body: bytes) -> Any:
        headers = {"Content-Type": "application/json"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        try:
            # Redirects are not followed: they could send the key and the transcript anywhere.
            async with (
                aiohttp.ClientSession(timeout=self._timeout) as session,
                session.post(self._url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                answer = await _body(response)
                status = response.status
        except TimeoutError as error:
            raise NoteWriterUnavailable("The note writer did not answer in time.") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise NoteWriterUnavailable(f"The connection to the note writer failed: {type(error).__name__}.") from error
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _WORTH_ANOTHER_TRY:
            raise NoteWriterUnavailable(f"The note writer answered {status}.")
        if status != HTTPStatus.OK:
            raise NoteNotWritten(f"The note writer answered {status}.")
        try:
            return orjson.loads(answer)
        except orjson.JSONDecodeError:
            raise NoteUnusable("The note writer's answer is not JSON.") from None


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for block in response.content.iter_any():
        body += block
        if len(body) > _LARGEST_ANSWER_BYTES:
            raise aiohttp.ClientPayloadError("an answer larger than any note")
    return bytes(body)


def _object_in(completion: Any) -> dict[str, Any]:
    """Raises: NoteUnusable, which does not quote the answer."""
    try:
        written = orjson.loads(_unfenced(completion["choices"][0]["message"]["content"]))
    except (TypeError, KeyError, IndexError, AttributeError, orjson.JSONDecodeError):
        written = None
    if not isinstance(written, dict):
        raise NoteUnusable("The note writer's answer is not a JSON object.")
    return written


def _unfenced(content: str) -> str:
    """Some models put their JSON in a Markdown fence, whatever the prompt says."""
    text = content.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        text = text.partition("\n")[2].removesuffix("```")
    return text
