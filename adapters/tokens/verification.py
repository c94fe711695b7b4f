"""Says who calls with a bearer token, a server-to-server JWT, or why it is refused (Dragon's REFERENCE.md, "Token").

python-jose checks the signature; the algorithm, the key and every claim are checked here.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson

from adapters.tokens.allow_list import AllowList, Application, Issuer
from adapters.tokens.errors import ApplicationNotListed, IssuerNotListed, TokenRefused
from adapters.tokens.key_sets import KeySets
from adapters.tokens.public_keys import ALGORITHMS

LONGEST_TOKEN = 16 * 1024
LONGEST_KEY_NAME = 512
EARLIEST = timedelta(seconds=5)
"""How long before its `nbf` a token is accepted: clocks differ, and many are used in the second they were issued."""

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+", re.ASCII)
Claims = Mapping[str, Any]


class TokenVerifier:
    """Verifies against the allow list in force at that moment."""

    def __init__(
        self, allow_list: Callable[[], AllowList], key_sets: KeySets, *, clock: Callable[[], datetime]
    ) -> None:
        self._allow_list = allow_list
        self._key_sets = key_sets
        self._clock = clock

    async def verify(self, token: str) -> Application:
        """The application that the token speaks for.

        Raises: TokenRefused; IssuerNotListed; ApplicationNotListed (the token itself is valid); IssuerUnavailable.
        """
        header, unverified = _unverified(token)
        algorithm = _algorithm(header)
        issuer = _listed(self._allow_list(), unverified)
        key = await self._key_sets.key(issuer, _key_name(header), algorithm)
        payload = key.verified_payload(token, algorithm)
        if payload is None:
            raise TokenRefused("The token's signature is not valid.")
        claims = _object(payload)
        self._check_times(claims)
        if not issuer.audiences.intersection(_audiences(claims)):
            raise TokenRefused("The token is for another audience.")
        application = issuer.applications.get(_identity(claims))
        if application is None:
            raise ApplicationNotListed
        return application

    def _check_times(self, claims: Claims) -> None:
        now = self._clock()
        if now.timestamp() >= _seconds(claims, "exp"):
            raise TokenRefused("The token has expired.")
        if "nbf" in claims and (now + EARLIEST).timestamp() < _seconds(claims, "nbf"):
            raise TokenRefused("The token is not valid yet.")


def _unverified(token: str) -> tuple[Claims, Claims]:
    """Header and claims, only for finding the key: nothing in them is trusted yet."""
    compact = _COMPACT.fullmatch(token) if len(token) <= LONGEST_TOKEN else None
    if compact is None:
        raise TokenRefused("The token is not a signed JWT.")
    return _object(_decoded(compact[1])), _object(_decoded(compact[2]))


def _decoded(segment: str) -> bytes:
    try:
        return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise TokenRefused("The token is not a signed JWT.") from None


def _object(raw: bytes) -> Claims:
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise TokenRefused("The token is not a signed JWT.")
    return found


def _algorithm(header: Claims) -> str:
    """Only RS, PS and ES: never `none`, and never HMAC, whose secret would be a public key (S)."""
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenRefused("The token is signed with an algorithm that is not accepted.")
    if "crit" in header:  # RFC 7515, 4.1.11: an extension that must be understood and is not makes the token invalid
        raise TokenRefused("The token needs an extension that is not supported.")
    return algorithm


def _key_name(header: Claims) -> str | None:
    kid = header.get("kid")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= LONGEST_KEY_NAME):
        raise TokenRefused("The token's kid is not the name of a key.")
    return kid


def _listed(allow_list: AllowList, claims: Claims) -> Issuer:
    name = claims.get("iss")
    if not isinstance(name, str):
        raise TokenRefused("The token names no issuer.")
    issuer = allow_list.issuers.get(name)  # exact: another case or slash is another issuer
    if issuer is None:
        raise IssuerNotListed
    return issuer


def _seconds(claims: Claims, name: str) -> float:
    moment = claims.get(name)
    if isinstance(moment, bool) or not isinstance(moment, int | float):
        raise TokenRefused(f"The token has no usable {name}.")
    return moment


def _audiences(claims: Claims) -> list[str]:
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    return [each for each in listed if isinstance(each, str)]


def _identity(claims: Claims) -> str:
    """`azp` or `appid`, else `sub` (S)."""
    identity = next((claims[name] for name in ("azp", "appid", "sub") if name in claims), None)
    if not isinstance(identity, str) or not identity:
        raise TokenRefused("The token names no application.")
    return identity
