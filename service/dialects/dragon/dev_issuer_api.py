"""The development issuer over HTTP: metadata, keys, and the client-credentials grant (RFC 6749, 4.4)."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from aiohttp import hdrs, web

from service.dialects.dragon.dev_credentials import ISSUER_PATH, TOKEN_PATH
from service.dialects.dragon.dev_issuer import KEYS_PATH, TOKEN_LIFETIME, DevIssuer
from service.dialects.http.json_answers import json_answer
from service.dialects.http.limits import Limits

_NOT_STORED = {"Cache-Control": "no-store"}
_MOST_FIELDS = 20


class DevIssuerApi:
    """The handlers."""

    def __init__(self, issuer: DevIssuer, limits: Limits) -> None:
        self._issuer = issuer
        self._limits = limits

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get(f"{ISSUER_PATH}/.well-known/openid-configuration", self.metadata)
        router.add_get(KEYS_PATH, self.keys)
        router.add_post(TOKEN_PATH, self.token)

    async def metadata(self, _: web.Request) -> web.Response:
        return json_answer(self._issuer.metadata)

    async def keys(self, _: web.Request) -> web.Response:
        return json_answer(self._issuer.key.jwks)

    async def token(self, request: web.Request) -> web.Response:
        limits = self._limits
        body = await limits.whole_body(request, limit_bytes=limits.json_bytes, seconds=limits.json_seconds)
        fields = _form_fields(body)
        if fields.get("grant_type") != "client_credentials":
            return json_answer({"error": "unsupported_grant_type"}, status=400, headers=_NOT_STORED)
        client_id, client_secret = _client(request, fields)
        if not self._issuer.knows(client_id, client_secret):
            challenge = {hdrs.WWW_AUTHENTICATE: 'Basic realm="tapedeck development issuer"'}
            return json_answer({"error": "invalid_client"}, status=401, headers=_NOT_STORED | challenge)
        answer = {
            "access_token": self._issuer.token(),
            "token_type": "Bearer",
            "expires_in": int(TOKEN_LIFETIME.total_seconds()),
        }
        return json_answer(answer, headers=_NOT_STORED)


def _form_fields(body: bytes) -> Mapping[str, str]:
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS))
    except ValueError:
        return {}


def _client(request: web.Request, fields: Mapping[str, str]) -> tuple[str, str]:
    """Id and secret, from HTTP Basic or the form (RFC 6749, 2.3.1); empty if there are none."""
    scheme, _, encoded = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return "", ""
        return unquote_plus(client_id), unquote_plus(secret)
    return fields.get("client_id", ""), fields.get("client_secret", "")
