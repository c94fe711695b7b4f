"""Note writer at any OpenAI-compatible endpoint, over HTTP; promises never to reveal its key, and to check the answer.

`POST {base_url}/chat/completions`, as in OpenAI's API reference, with temperature 0 and the prompt in `prompt.md`.
An answer that is not a JSON object of exactly the four sections is refused.
"""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import orjson
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from adapters.notes.note import Note, NoteNotWritten, NoteUnusable, NoteWriterUnavailable, Section, Sentence
from adapters.speech.transcript import Transcript

PROMPT = Path(__file__).with_name("prompt.md").read_text(encoding="utf-8")

_CONNECT_TIMEOUT_SECONDS = 5.0
_LARGEST_ANSWER_BYTES = 4_000_000
_WORTH_ANOTHER_TRY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


class _Sections(BaseModel):
    """The answer that the prompt asks for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    subjective: list[_Text]
    objective: list[_Text]
    assessment: list[_Text]
    plan: list[_Text]


class OpenAINoteWriter:
    """One endpoint and one model there."""

    name = "openai"

    def __init__(self, *, base_url: str, model: str, api_key: str | None, timeout_seconds: float) -> None:
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._model = model
        self._api_key = api_key
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=_CONNECT_TIMEOUT_SECONDS)

    async def write(self, transcript: Transcript) -> Note:
        """One try. Raises: NoteWriterUnavailable, NoteUnusable, NoteNotWritten."""
        asked = {
            "model": self._model,
            "temperature": 0,
            "response_format": {"type": "json_object"},
            "messages": [{"role": "system", "content": PROMPT}, {"role": "user", "content": transcript.text}],
        }
        sections = _sections_of(await self._post(orjson.dumps(asked)))
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


def _sections_of(completion: Any) -> _Sections:
    """Raises: NoteUnusable, which does not quote the answer."""
    try:
        content = completion["choices"][0]["message"]["content"]
        return _Sections.model_validate(orjson.loads(_unfenced(content)))
    except (TypeError, KeyError, IndexError, AttributeError, orjson.JSONDecodeError, ValidationError):
        raise NoteUnusable("The note writer's answer is not a note of the four sections.") from None


def _unfenced(content: str) -> str:
    """Some models put their JSON in a Markdown fence, whatever the prompt says."""
    text = content.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        text = text.partition("\n")[2].removesuffix("```")
    return text
