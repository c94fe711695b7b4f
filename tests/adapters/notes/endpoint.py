"""An OpenAI-compatible endpoint of the tests' own: a real HTTP server that answers as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

SECTIONS = {
    "subjective": ["Chest pain since last night."],
    "objective": ["Lungs clear."],
    "assessment": ["Heart disease is suspected."],
    "plan": ["Blood test today.", "Return in one week."],
}


def completion(content: Any) -> dict[str, Any]:
    said = content if isinstance(content, str) else json.dumps(content)
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}]}


@dataclass
class ChatEndpoint:
    """`answers`: (status, body) one after another, the last of them repeatedly."""

    url: str = ""
    answers: list[tuple[int, Any]] = field(default_factory=lambda: [(200, completion(SECTIONS))])
    hangs: bool = False
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[tuple[dict[str, str], Any]] = field(default_factory=list)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((dict(request.headers), await request.json()))
        if self.hangs:
            await self.closing.wait()
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(body, str):
            return web.Response(status=status, text=body, headers={"Location": "http://127.0.0.1:1/"})
        return web.json_response(body, status=status)


@asynccontextmanager
async def chat_endpoint() -> AsyncIterator[ChatEndpoint]:
    endpoint = ChatEndpoint()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", endpoint.complete)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield endpoint
    finally:
        endpoint.closing.set()
        await runner.cleanup()
