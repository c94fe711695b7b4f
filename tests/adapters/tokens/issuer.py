"""An identity provider for tests: a real HTTP server on loopback, with real keys, that can be told to misbehave."""

import asyncio
import hashlib
import hmac
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import orjson
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

AUDIENCE = "api://tapedeck"
APPLICATION = "partner-client"
CUSTOMER = "2c1e6f0e-7d3a-4b5c-9e8f-0a1b2c3d4e5f"
PARTNER = "9b7d4a52-1c2d-4e3f-8a9b-0c1d2e3f4a5b"
PRODUCT = "5f0c8d31-6a7b-4c8d-9e0f-1a2b3c4d5e6f"
OTHER = "00000000-1111-4222-8333-444444444444"


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _number(number: int, length: int | None = None) -> str:
    return b64(number.to_bytes(length or (number.bit_length() + 7) // 8, "big"))


@cache
def _rsa_key(index: int, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


class RsaKey:
    """`index`: another number is another key; the same one is made once a test run."""

    def __init__(self, kid: str, *, index: int = 0, bits: int = 2048) -> None:
        self.kid = kid
        self.private = _rsa_key(index, bits)

    @property
    def jwk(self) -> dict[str, Any]:
        numbers = self.private.public_key().public_numbers()
        return {"kty": "RSA", "use": "sig", "kid": self.kid, "n": _number(numbers.n), "e": _number(numbers.e)}

    @property
    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, message: bytes, algorithm: str) -> bytes:
        digest = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[algorithm[2:]]
        if algorithm.startswith("PS"):
            return self.private.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return self.private.sign(message, padding.PKCS1v15(), digest)


CURVES = {"ES256": (ec.SECP256R1, "P-256"), "ES384": (ec.SECP384R1, "P-384"), "ES512": (ec.SECP521R1, "P-521")}


class EcKey:
    def __init__(self, kid: str, algorithm: str = "ES256") -> None:
        curve, self._name = CURVES[algorithm]
        self.kid = kid
        self.private = ec.generate_private_key(curve())
        self._bytes = (self.private.key_size + 7) // 8

    @property
    def jwk(self) -> dict[str, Any]:
        numbers = self.private.public_key().public_numbers()
        x, y = _number(numbers.x, self._bytes), _number(numbers.y, self._bytes)
        return {"kty": "EC", "crv": self._name, "kid": self.kid, "x": x, "y": y}

    def sign(self, message: bytes, algorithm: str) -> bytes:
        digest = {"ES256": hashes.SHA256(), "ES384": hashes.SHA384(), "ES512": hashes.SHA512()}[algorithm]
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(digest)))
        return r.to_bytes(self._bytes, "big") + s.to_bytes(self._bytes, "big")


def claims(issuer: str, **changes: Any) -> dict[str, Any]:
    """What a good token says; a change to None leaves the claim out."""
    now = int(time.time())
    good = {"iss": issuer, "aud": AUDIENCE, "azp": APPLICATION, "sub": "somebody", "iat": now, "exp": now + 600}
    return {name: value for name, value in (good | changes).items() if value is not None}


def compact(header: dict[str, Any], payload: dict[str, Any], sign: Any) -> str:
    """A token made by hand, as a library would not make it."""
    message = f"{b64(orjson.dumps(header))}.{b64(orjson.dumps(payload))}"
    return f"{message}.{b64(sign(message.encode()))}"


def signed(key: Any, payload: dict[str, Any], *, algorithm: str = "RS256", **header: Any) -> str:
    header = {"alg": algorithm, "typ": "JWT", "kid": key.kid} | header
    header = {name: value for name, value in header.items() if value is not None}
    return compact(header, payload, lambda message: key.sign(message, algorithm))


def hmac_signed(secret: bytes, payload: dict[str, Any], kid: str) -> str:
    header = {"alg": "HS256", "typ": "JWT", "kid": kid}
    return compact(header, payload, lambda message: hmac.digest(secret, message, hashlib.sha256))


class IssuerServer:
    """`keys` are those it publishes now; `metadata_answer` and `keys_answer` take its place when set."""

    def __init__(self) -> None:
        self.key = RsaKey("first")
        self.keys: list[Any] = [self.key]
        self.metadata: dict[str, Any] = {}
        self.metadata_answer: Any = None
        self.keys_answer: Any = None
        self.fetches: list[str] = []
        self.url = ""

    async def _metadata(self, request: web.Request) -> web.StreamResponse:
        self.fetches.append("metadata")
        if self.metadata_answer is not None:
            return await self.metadata_answer(request)
        document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | self.metadata
        return web.json_response(document)

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        self.fetches.append("keys")
        if self.keys_answer is not None:
            return await self.keys_answer(request)
        return web.json_response({"keys": [key if isinstance(key, dict) else key.jwk for key in self.keys]})

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/.well-known/openid-configuration", self._metadata)
        application.router.add_get("/keys", self._keys)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = self.url or f"http://{host}:{port}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def token(self, key: Any = None, *, algorithm: str = "RS256", **changes: Any) -> str:
        return signed(key or self.key, claims(self.url, **changes), algorithm=algorithm)

    def allow_list(self, **changes: Any) -> str:
        """The TOML that lists this issuer and its one application."""
        application = {"id": APPLICATION, "customers": [CUSTOMER], "partners": [PARTNER], "products": [PRODUCT]}
        lines = ["[[issuers]]", f'issuer = "{self.url}"', f'audiences = ["{AUDIENCE}"]']
        lines += ["[[issuers.applications]]", f'id = "{changes.get("id", application["id"])}"']
        for name in ("customers", "partners", "products"):
            listed = ", ".join(f'"{value}"' for value in changes.get(name, application[name]))
            lines.append(f"{name} = [{listed}]")
        return "\n".join(lines) + "\n"


@contextmanager
def issuer_in_a_thread() -> Iterator[IssuerServer]:
    """An issuer that answers also while the test itself does something that blocks."""
    server, loop = IssuerServer(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="issuer")
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
