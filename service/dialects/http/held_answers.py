"""Answers that are held in memory until their clients have taken them count as held, and clients must take them."""

import asyncio

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from service.dialects.http.held_bytes import SLOWEST_BYTES_PER_SECOND, HeldBytes, Hold, hold_of, let_go
from service.dialects.http.tracing import CLIENT_GONE, STATUS_TOLD

UNCOUNTED_BYTES = 64 * 1024
"""What the operating system takes from us at once: answers up to this size do not count."""

PATIENCE_SECONDS = 60.0
"""Besides the time that the slowest pace accepted takes."""


def held_answers(budget: HeldBytes, *, patience_seconds: float = PATIENCE_SECONDS) -> Middleware:
    """Sends a large answer while it is counted, and gives back what the request held. Raises: TooMuchHeld."""

    @web.middleware
    async def hold(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            answer = await handler(request)
            if request.method != hdrs.METH_HEAD and isinstance(answer, web.Response):
                size_bytes = len(answer.body) if isinstance(answer.body, bytes) else 0
                if size_bytes > UNCOUNTED_BYTES:
                    seconds = patience_seconds + size_bytes / SLOWEST_BYTES_PER_SECOND
                    await _send(request, answer, _held(request, budget, size_bytes), size_bytes, seconds)
            return answer
        finally:
            let_go(request)

    return hold


def _held(request: web.Request, budget: HeldBytes, size_bytes: int) -> Hold:
    """In place of the body. No answer counts for more than a caller may hold: else it could never be given."""
    hold = hold_of(request, budget)
    hold.shrink_to(0)
    hold.reserve(min(size_bytes, budget.most_bytes // 2))
    return hold


async def _send(request: web.Request, answer: web.Response, hold: Hold, size_bytes: int, seconds: float) -> None:
    """All of it, unless the client goes away or does not take it. Then the answer ends early, with the connection."""
    transport = request.transport
    if transport is None:  # it has gone already
        return

    def end_early() -> None:
        transport.abort()
        request[STATUS_TOLD] = CLIENT_GONE
        answer.force_close()

    try:
        with hold.moving(lambda: size_bytes - transport.get_write_buffer_size(), end_early):
            async with asyncio.timeout(seconds):
                await answer.prepare(request)
                await answer.write_eof()
    except (ConnectionError, TimeoutError):
        end_early()
