"""Starts a Firefox, and stands between it and Playwright: `python -m tests.tools.firefox_relay firefox-esr ARGUMENTS`.

Playwright drives a stock Firefox by WebDriver BiDi, and asks it for one thing that Debian's does not know: to override
the media features of pages. To that it is answered here that it is done; nothing else is changed. A Firefox that knows
it is asked as usual, so that this module can go once all do.
"""

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE, Process

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

_NOT_EVERYWHERE = "emulation.setMediaFeaturesOverride"
_TOLD = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")
_LONGEST_LINE_BYTES = 2**20
_ANY_SIZE = 0


async def run(command: list[str]) -> int:
    """Its exit code. Its standard error is this program's, but for the address of the WebSocket."""
    firefox = await asyncio.create_subprocess_exec(*command, stderr=PIPE, limit=_LONGEST_LINE_BYTES)
    relay = _Relay()
    runner = await relay.start()
    try:
        await _pass_on_what_it_tells(firefox, relay)
        return await firefox.wait()
    finally:
        await runner.cleanup()


async def _pass_on_what_it_tells(firefox: Process, relay: "_Relay") -> None:
    assert firefox.stderr is not None
    async for line in firefox.stderr:
        if found := _TOLD.search(line):
            relay.firefox_url = found[1].decode()
        sys.stderr.buffer.write(line.replace(found[1], relay.url.encode()) if found else line)
        sys.stderr.buffer.flush()


class _Relay:
    url: str
    firefox_url: str

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/session", self._relay)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        self.url = f"ws://{host}:{port}"
        return runner

    async def _relay(self, request: web.Request) -> web.WebSocketResponse:
        playwright = web.WebSocketResponse(max_msg_size=_ANY_SIZE, compress=False)
        await playwright.prepare(request)
        asked: set[int] = set()
        async with (
            ClientSession() as session,
            session.ws_connect(f"{self.firefox_url}/session", max_msg_size=_ANY_SIZE) as firefox,
            asyncio.TaskGroup() as both,
        ):
            both.create_task(_ask(playwright, firefox, asked))
            both.create_task(_answer(firefox, playwright, asked))
        return playwright


async def _ask(playwright: web.WebSocketResponse, firefox: ClientWebSocketResponse, asked: set[int]) -> None:
    async for message in playwright:
        if message.type is not WSMsgType.TEXT:
            continue
        if _NOT_EVERYWHERE in message.data:
            command = json.loads(message.data)
            if command["method"] == _NOT_EVERYWHERE:
                asked.add(command["id"])
        await firefox.send_str(message.data)
    await firefox.close()


async def _answer(firefox: ClientWebSocketResponse, playwright: web.WebSocketResponse, asked: set[int]) -> None:
    async for message in firefox:
        if message.type is not WSMsgType.TEXT:
            continue
        text = message.data
        if asked:
            answer = json.loads(text)
            if answer.get("id") in asked:
                asked.remove(answer["id"])
                if answer.get("error") == "unknown command":
                    text = json.dumps({"type": "success", "id": answer["id"], "result": {}})
        await playwright.send_str(text)
    await playwright.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(run(sys.argv[1:])))
