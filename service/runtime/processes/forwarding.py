"""How an API process hands a request to the process that answers all but chunks, and how that takes it.

A request goes over a connection of its own, so that none is lost with one that is just being closed. The socket is in
the data directory, where nobody else gets in.
"""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict, MultiMapping
from yarl import URL

from adapters.event_log.port import LogUnavailable
from service.dialects.http.limits import READ_AHEAD_BYTES, Limits, tell_to_continue, waits_to_be_asked
from service.dialects.http.remote import TOLD_ADDRESS, remote_of

HANDED_OVER = "X-Tapedeck-Handed-Over"
"""The client's address."""

_ADDED_HEADERS_BYTES = 1024
_OF_ONE_CONNECTION = frozenset(
    name.lower()
    for name in (
        hdrs.CONNECTION,
        hdrs.KEEP_ALIVE,
        hdrs.PROXY_AUTHENTICATE,
        hdrs.PROXY_AUTHORIZATION,
        hdrs.TE,
        hdrs.TRAILER,
        hdrs.TRANSFER_ENCODING,
        hdrs.UPGRADE,
        HANDED_OVER,
    )
)

logger = logging.getLogger(__name__)


class NotHandedOver(LogUnavailable):
    """The other process does not answer. What it has done of the request is not known."""

    def __init__(self) -> None:
        super().__init__("A part of the service is just starting; try again.")


class Forwarder:
    """In an API process. `path`: of the other process's socket."""

    def __init__(self, path: Path, limits: Limits) -> None:
        longest = limits.header_bytes + _ADDED_HEADERS_BYTES
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(path), limit=0, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=(hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT),
            read_bufsize=READ_AHEAD_BYTES,
            max_line_size=longest,
            max_field_size=longest,
        )

    async def close(self) -> None:
        await self._session.close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The other process's answer, passed on as it comes. Raises: NotHandedOver."""
        try:
            given = await self._session.request(
                request.method,
                _target(request),
                headers=self._headers(request),
                data=_body(request) if request.body_exists else None,
                expect100=waits_to_be_asked(request),
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            logger.info("request not handed over", extra={"because": str(error)})
            raise NotHandedOver from error
        try:
            return await _passed_on(request, given)
        finally:
            given.close()

    def _headers(self, request: web.Request) -> CIMultiDict[str]:
        headers = _between_ends(request.headers)
        headers[HANDED_OVER] = remote_of(request) or ""
        if waits_to_be_asked(request):
            headers.popall(hdrs.EXPECT)  # which the client of the session sends itself
        return headers


def _target(request: web.Request) -> URL:
    """As it was sent: the other process reads it anew."""
    path = request.raw_path
    if not path.startswith("/"):  # a whole URL, as to a proxy
        path = request.rel_url.raw_path_qs or "/"
    return URL(f"http://tapedeck{path}", encoded=True)


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    """Once the other process wants it."""
    tell_to_continue(request)
    async for piece in request.content.iter_any():
        yield piece


async def _passed_on(request: web.Request, given: aiohttp.ClientResponse) -> web.StreamResponse:
    """An answer that ends early there ends early here. One that comes before the body's end ends the connection."""
    answer = web.StreamResponse(status=given.status, reason=given.reason, headers=_between_ends(given.headers))
    if not request.content.is_eof():
        answer.force_close()
    try:
        await answer.prepare(request)
        async for piece in given.content.iter_any():
            await answer.write(piece)
        await answer.write_eof()
    except (aiohttp.ClientError, ConnectionError):
        answer.force_close()
        if request.transport is not None:  # else the client has gone already
            request.transport.abort()
    return answer


def _between_ends(headers: MultiMapping[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _OF_ONE_CONNECTION)


@web.middleware
async def taking_over(request: web.Request, handler: Handler) -> web.StreamResponse:
    """In the other process, for what is handed over alone."""
    request[TOLD_ADDRESS] = request.headers.get(HANDED_OVER, "")
    return await handler(request)
