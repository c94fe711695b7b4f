"""Fetches an issuer's keys: its metadata, then the key set that the metadata names (OpenID Connect Discovery 1.0).

An issuer's answers are trusted only as far as the allow list says: no redirects, no other host, few bytes, little
time.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from adapters.tokens.allow_list import Issuer, is_web_address
from adapters.tokens.errors import IssuerMisbehaves, IssuerUnavailable
from adapters.tokens.public_keys import KeySet

LARGEST_ANSWER_BYTES = 256 * 1024
FETCH_SECONDS = 5.0
METADATA_AGE = timedelta(hours=1)
"""How long an issuer's keys are assumed to stay at the same address."""

_OK, _CLIENT_ERRORS, _SERVER_ERRORS = 200, 400, 500


class Discovery:
    """Uses one HTTP session, which it closes. Use it within a running event loop."""

    def __init__(self, *, fetch_seconds: float = FETCH_SECONDS) -> None:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=fetch_seconds),
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._key_addresses: dict[str, tuple[str, datetime]] = {}

    async def keys(self, issuer: Issuer, *, now: datetime) -> KeySet:
        """The issuer's keys as they are now. Raises: IssuerUnavailable; IssuerMisbehaves."""
        address, until = self._key_addresses.get(issuer.name, ("", now))
        if until <= now or not _may_hold_keys(issuer, address):
            address = await self._key_address(issuer)
        try:
            key_set = KeySet.from_jwks(await self._document(address))
        except (IssuerUnavailable, IssuerMisbehaves):
            self._key_addresses.pop(issuer.name, None)
            raise
        self._key_addresses[issuer.name] = (address, now + METADATA_AGE)
        if not key_set.keys:
            raise IssuerMisbehaves(f"{address} holds no key that can be used")
        return key_set

    async def _key_address(self, issuer: Issuer) -> str:
        address = f"{issuer.name.removesuffix('/')}/.well-known/openid-configuration"
        metadata = await self._document(address)
        if metadata.get("issuer") != issuer.name:
            raise IssuerMisbehaves(f"{address} is the metadata of another issuer")
        keys_at = metadata.get("jwks_uri")
        if not isinstance(keys_at, str) or not _may_hold_keys(issuer, keys_at):
            raise IssuerMisbehaves(f"{address} names a jwks_uri on a host that the allow list does not name")
        return keys_at

    async def _document(self, address: str) -> Mapping[str, Any]:
        try:
            body = await self._body(address)
        except (aiohttp.ClientConnectionError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise IssuerUnavailable from error
        except aiohttp.ClientError as error:
            raise IssuerMisbehaves(f"{address} does not speak HTTP: {type(error).__name__}") from error
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise IssuerMisbehaves(f"{address} is not JSON") from None
        if not isinstance(document, dict):
            raise IssuerMisbehaves(f"{address} is not a JSON object")
        return document

    async def _body(self, address: str) -> bytes:
        async with self._session.get(address, allow_redirects=False) as answer:
            if answer.status >= _SERVER_ERRORS:
                raise IssuerUnavailable
            if answer.status != _OK:
                kind = "redirects" if answer.status < _CLIENT_ERRORS else f"answers {answer.status}"
                raise IssuerMisbehaves(f"{address} {kind}")
            body = bytearray()
            async for piece in answer.content.iter_chunked(64 * 1024):
                body += piece
                if len(body) > LARGEST_ANSWER_BYTES:
                    raise IssuerMisbehaves(f"{address} is larger than {LARGEST_ANSWER_BYTES} bytes")
            return bytes(body)

    async def close(self) -> None:
        await self._session.close()


def _may_hold_keys(issuer: Issuer, address: str) -> bool:
    """Whether keys at `address` may be trusted: it is on the issuer's own host and port, or on one listed for it."""
    try:
        own, parts = urlsplit(issuer.name), urlsplit(address)
    except ValueError:
        return False
    return is_web_address(parts) and parts.netloc in {own.netloc, *issuer.key_hosts}
