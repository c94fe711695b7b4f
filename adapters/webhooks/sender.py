"""Sends one delivery over HTTP: only to checked addresses, following no redirect, reading little of the answer."""

import asyncio
import socket
import ssl
from dataclasses import dataclass

import aiohttp
from aiohttp import hdrs
from yarl import URL

from adapters.webhooks.addresses import AddressPolicy, AddressRefused, CheckedResolver

KEPT_BODY_BYTES = 4_096
"""How much of a receiver's answer is read, and kept to show what went wrong."""

BODY_SECONDS = 2.0
"""How long that may take after the status has come, which is all that counts."""

LONGEST_URL = 2_048


@dataclass(frozen=True, slots=True)
class Sent:
    """The outcome of one attempt: a status and the beginning of a body, or an error in one sentence."""

    status_code: int | None = None
    response_body: str | None = None
    error: str | None = None

    @property
    def is_accepted(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300  # noqa: PLR2004 - the class "success"


class UrlRefused(Exception):
    """A webhook cannot go to this URL; `str()` says why."""


class WebhookSender:
    """Sends as long as it is open. Sets no time limit: how long an attempt may take is up to the caller."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._resolver = CheckedResolver(policy)
        # One connection per delivery: the receiver might close a kept one just as it is used again.
        connector = aiohttp.TCPConnector(
            resolver=self._resolver,
            use_dns_cache=False,
            limit=0,
            force_close=True,
            socket_factory=self._checked_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
            skip_auto_headers=[hdrs.ACCEPT, hdrs.ACCEPT_ENCODING],
            headers={hdrs.USER_AGENT: "tapedeck-webhooks", hdrs.CONTENT_TYPE: "application/json"},
        )

    async def check(self, url: str) -> None:
        """Raises: UrlRefused when `url` is not an address on the web, or one that webhooks may not go to."""
        host = _host(url)
        try:
            await self._resolver.resolve(host, _parsed(url).port or 0)
        except AddressRefused as refused:
            raise UrlRefused(f"{refused}.") from None
        except OSError:
            raise UrlRefused(f"{host} cannot be resolved.") from None

    def _checked_socket(self, address_info: aiohttp.AddrInfoType) -> socket.socket:
        """The final check: a URL with a number for a host is never resolved. Raises: AddressRefused."""
        family, kind, protocol, _, address = address_info
        self._policy.check(str(address[0]), str(address[0]))
        return socket.socket(family, kind, protocol)

    async def send(self, url: str, body: bytes, headers: dict[str, str]) -> Sent:
        """POST the body, uncompressed and with its length. Never raises because of the receiver."""
        try:
            _host(url)
            async with self._session.post(URL(url), data=body, headers=headers, allow_redirects=False) as response:
                return Sent(response.status, await _beginning(response))
        except UrlRefused as refused:
            return Sent(error=str(refused))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Sent(error=_sentence(error))

    async def close(self) -> None:
        await self._session.close()
        await self._resolver.close()


def _parsed(url: str) -> URL:
    try:
        return URL(url)
    except ValueError:
        raise UrlRefused("This is not a URL.") from None


def _host(url: str) -> str:
    """The host to send to. Raises: UrlRefused."""
    parsed = _parsed(url)
    if len(url) > LONGEST_URL or parsed.scheme not in ("http", "https") or not parsed.raw_host:
        raise UrlRefused(f"A webhook needs an http:// or https:// URL of at most {LONGEST_URL} characters.")
    if parsed.user is not None or parsed.password is not None:
        raise UrlRefused("A webhook's URL must not contain a user or password: deliveries are signed.")
    return parsed.raw_host


async def _beginning(response: aiohttp.ClientResponse) -> str:
    pieces = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while len(pieces) < KEPT_BODY_BYTES:
                piece = await response.content.read(KEPT_BODY_BYTES - len(pieces))
                if not piece:
                    break
                pieces += piece
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass  # the status has come, and that is all that counts
    response.close()
    return pieces.decode("utf-8", "replace").replace("\0", "�")


def _sentence(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return f"TLS failed: {error}"
        case aiohttp.ClientConnectorError(os_error=OSError() as cause):
            return f"Not connected: {cause.strerror or cause}."
        case aiohttp.ServerDisconnectedError():
            return "The connection was closed before an answer came."
        case _:
            return f"The connection failed: {error or type(error).__name__}."
