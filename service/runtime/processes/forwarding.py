"""How an API process hands a request to the process that answers all but chunks, and how that takes it.

A request goes over a connection of its own, so that none is lost with one that is just being closed. On one machine it
goes to a socket in the data directory, where nobody else gets in; to another host with a proof that the hosts share.
"""

import asyncio
import hmac
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from multidict import CIMultiDict, MultiMapping
from yarl import URL

from service.dialects.http.limits import READ_AHEAD_BYTES, Limits, tell_to_continue, waits_to_be_asked
from service.dialects.http.remote import TOLD_ADDRESS, remote_of
from service.dialects.http.signed_urls import UrlSigner
from service.runtime.processes.leads import HERE, Leads, NotHandedOver

HANDED_OVER = "X-Tapedeck-Handed-Over"
"""The client's address."""

PROOF = "X-Tapedeck-Host"
"""That another host of the service hands the request over."""

PATIENCE_SECONDS = 5.0
"""How long a request waits for a host that leads, if none does at the moment."""
LOOK_SECONDS = 0.2
"""After how long a host that cannot be reached is tried again."""
CONNECT_SECONDS = 5.0

_ADDED_HEADERS_BYTES = 1024
_NOT_PASSED_ON = frozenset(
    name.lower()
    for name in (
        hdrs.CONNECTION,
        hdrs.KEEP_ALIVE,
        hdrs.PROXY_AUTHENTICATE,
        hdrs.PROXY_AUTHORIZATION,
        hdrs.TE,
        hdrs.TRAILER,
        hdrs.TRANSFER_ENCODING,
        HANDED_OVER,
        PROOF,
    )
)
"""What is said of one connection. `Upgrade` is not among it: a dialect refuses who asks for another protocol."""

logger = logging.getLogger(__name__)


class Forwarder:
    """In an API process. `socket`: of the process on this machine; `proof`: that this is one of the service's hosts;
    `trust`: in other hosts; None if there are none."""

    def __init__(self, leads: Leads, socket: Path, limits: Limits, *, proof: str, trust: ssl.SSLContext | None) -> None:
        self._leads = leads
        self._proof = proof
        self._limits = limits
        self._here = self._session(aiohttp.UnixConnector(str(socket), limit=0, force_close=True))
        self._elsewhere = self._session(aiohttp.TCPConnector(ssl=trust or True, limit=0, force_close=True))

    def _session(self, connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
        longest = self._limits.header_bytes + _ADDED_HEADERS_BYTES
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            auto_decompress=False,
            skip_auto_headers=(hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT),
            read_bufsize=READ_AHEAD_BYTES,
            max_line_size=longest,
            max_field_size=longest,
        )
        # It would send a DELETE, too, once more when a connection is lost, and there is no other switch.
        session._retry_connection = False  # noqa: SLF001
        return session

    async def close(self) -> None:
        await self._here.close()
        await self._elsewhere.close()

    @property
    def may_ask_another_host(self) -> bool:
        return self._leads.may_change

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The other process's answer, passed on as it comes. Raises: NotHandedOver."""
        place, given = await self._given(request)
        try:
            return await self._passed_on(request, place, given)
        finally:
            given.close()

    async def _given(self, request: web.Request) -> tuple[str, aiohttp.ClientResponse]:
        """Who answers, and the beginning of the answer. Another is asked only if nothing was sent yet.

        Raises: NotHandedOver.
        """
        clock = asyncio.get_running_loop()
        until = clock.time() + PATIENCE_SECONDS
        while True:
            place = await self._leads.known(until)
            try:
                return place, await self._leads.unless_another(place, self._asked(request, place))
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                if not self._leads.may_change or clock.time() > until:
                    raise _not_handed_over(error) from error
                await asyncio.sleep(LOOK_SECONDS)
            except (aiohttp.ClientError, OSError, UnicodeError) as error:
                raise _not_handed_over(error) from error

    async def _asked(self, request: web.Request, place: str) -> aiohttp.ClientResponse:
        session, origin = (self._here, "http://tapedeck") if place == HERE else (self._elsewhere, place)
        return await session.request(
            request.method,
            _target(request, origin),
            headers=self._headers(request),
            data=_body(request) if request.body_exists else None,
            expect100=waits_to_be_asked(request),
            allow_redirects=False,
        )

    def _headers(self, request: web.Request) -> CIMultiDict[str]:
        headers = _between_ends(request.headers)
        headers[HANDED_OVER] = remote_of(request) or ""
        headers[PROOF] = self._proof
        if waits_to_be_asked(request):
            headers.popall(hdrs.EXPECT)  # which the client of the session sends itself
        return headers

    async def _passed_on(self, request: web.Request, place: str, given: aiohttp.ClientResponse) -> web.StreamResponse:
        """An answer that ends early there ends early here. One that comes before the body's end ends the connection."""
        answer = web.StreamResponse(status=given.status, reason=given.reason, headers=_between_ends(given.headers))
        if not request.content.is_eof():
            answer.force_close()
        try:
            await answer.prepare(request)
            while piece := await self._leads.unless_another(place, given.content.readany()):
                await answer.write(piece)
            await answer.write_eof()
        except (aiohttp.ClientError, ConnectionError, NotHandedOver):
            answer.force_close()
            if request.transport is not None:  # else the client has gone already
                request.transport.abort()
        return answer


def _not_handed_over(error: Exception) -> NotHandedOver:
    level = logging.WARNING if isinstance(error, aiohttp.ClientSSLError) else logging.INFO  # that does not pass
    logger.log(level, "request not handed over", extra={"because": str(error)})
    return NotHandedOver()


def _target(request: web.Request, origin: str) -> URL:
    """As it was sent: the other process reads it anew."""
    path = request.raw_path
    if not path.startswith("/"):  # a whole URL, as to a proxy
        path = request.rel_url.raw_path_qs or "/"
    return URL(f"{origin}{path}", encoded=True)


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    """Once the other process wants it."""
    tell_to_continue(request)
    async for piece in request.content.iter_any():
        yield piece


def _between_ends(headers: MultiMapping[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _NOT_PASSED_ON)


@web.middleware
async def taking_over(request: web.Request, handler: Handler) -> web.StreamResponse:
    """In the other process, for what is handed over alone."""
    request[TOLD_ADDRESS] = request.headers.get(HANDED_OVER, "")
    return await handler(request)


def proof_of(signer: UrlSigner) -> str:
    """What only a host with the service's signing key can say."""
    return signer.signature("host", "", "")


def of_hosts(proof: str) -> Middleware:
    """In the process of another host, for what is handed over alone: whoever has no proof is told nothing."""

    @web.middleware
    async def taking_over_from_hosts(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get(PROOF, "").encode(), proof.encode()):
            raise web.HTTPForbidden(text="This port is for the service's other hosts.\n")
        return await taking_over(request, handler)

    return taking_over_from_hosts
