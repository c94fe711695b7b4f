"""An OpenAI-compatible endpoint of the tests' own: a real HTTP server that answers as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

SAID = ("I have had pain in my chest since last night.", "Your lungs are clear.", "We will do a blood test.")
SECTIONS = {
    "subjective": ["Chest pain since last night."],
    "objective": ["Lungs clear."],
    "assessment": [],
    "plan": ["Blood test."],
}
INVENTED = "Heart disease is suspected."


def stated(text: Any, *quotes: str, line: int | None = None) -> dict[str, Any]:
    """A statement as a model writes it, with these quotes, all of one line."""
    return {"cites": [{"line": line, "quote": quote} for quote in quotes], "text": text}


CITED = {
    "subjective": [stated("Chest pain since last night.", "pain in my chest since last night", line=1)],
    "objective": [stated("Lungs clear.", "your lungs are clear", line=2)],
    "assessment": [],
    "plan": [stated("Blood test.", "we will do a blood test", line=3)],
}
"""A note of what `SAID` says."""

CITED_AND_INVENTED = CITED | {"assessment": [stated(INVENTED, "you have a heart disease", line=2)]}


def completion(content: Any, *, finish_reason: str = "stop") -> dict[str, Any]:
    said = content if isinstance(content, str) else json.dumps(content)
    return {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": finish_reason}]
    }


@dataclass(frozen=True)
class Streamed:
    """The text of an event stream."""

    text: str


def stream(content: Any, *, ends: bool = True) -> Streamed:
    """The same as an event stream, a few characters at a time."""
    said = content if isinstance(content, str) else json.dumps(content)
    deltas = [{"role": "assistant"}, *({"content": said[at : at + 7]} for at in range(0, len(said), 7))]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    if ends:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        chunks.append({"choices": [], "usage": {"total_tokens": 9}})
    lines = [": the model is loading\n\n", *(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)]
    return Streamed("".join([*lines, "data: [DONE]\n\n"] if ends else lines))


@dataclass
class ChatEndpoint:
    """`answers`: (status, body) one after another, the last of them repeatedly. `answer_to`, if set, decides instead:
    it is given the request's JSON. As a speech endpoint, it hears `SAID` in whatever is sent.
    """

    url: str = ""
    answers: list[tuple[int, Any]] = field(default_factory=lambda: [(200, completion(CITED))])
    answer_to: Callable[[Any], tuple[int, Any]] | None = None
    hangs: bool = False
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[tuple[dict[str, str], Any]] = field(default_factory=list, repr=False)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.requests.append((dict(request.headers), asked))
        if self.hangs:
            await self.closing.wait()
        status, body = self.answer_to(asked) if self.answer_to else self._next()
        if isinstance(body, Streamed):
            return web.Response(status=status, text=body.text, content_type="text/event-stream")
        if isinstance(body, str | bytes):
            raw = body.encode() if isinstance(body, str) else body
            return web.Response(status=status, body=raw, headers={"Location": "http://127.0.0.1:1/"})
        return web.json_response(body, status=status)

    async def transcribe(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        segments = [{"start": second, "end": second + 0.9, "text": text} for second, text in enumerate(SAID)]
        return web.json_response({"text": " ".join(SAID), "segments": segments})

    def settings(self, **more: Any) -> dict[str, Any]:
        """Of a service that has its speech recognized and its notes written here."""
        of_notes = {"note_writer": "openai", "note_writer_url": self.url, "note_writer_model": "m"}
        of_speech = {"transcriber": "openai", "transcriber_url": self.url, "transcriber_model": "m"}
        return of_notes | of_speech | more

    def _next(self) -> tuple[int, Any]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@asynccontextmanager
async def chat_endpoint() -> AsyncIterator[ChatEndpoint]:
    endpoint = ChatEndpoint()
    app = web.Application(client_max_size=64_000_000)
    app.router.add_post("/v1/chat/completions", endpoint.complete)
    app.router.add_post("/v1/audio/transcriptions", endpoint.transcribe)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield endpoint
    finally:
        endpoint.closing.set()
        await runner.cleanup()
