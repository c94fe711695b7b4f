"""Adapts python-jose's keys: a key of an issuer's set verifies only what it is meant for.

Which algorithms a key is for follows from its type, never from the token: so a public RSA key is never mistaken for an
HMAC secret, and `none` is not an algorithm. (Dragon's REFERENCE.md, "Token")
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jose import jwk, jws
from jose.backends import RSAKey
from jose.backends.base import Key
from jose.exceptions import JOSEError

SMALLEST_RSA_BITS = 2048

_RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_EC_ALGORITHMS = {"P-256": frozenset({"ES256"}), "P-384": frozenset({"ES384"}), "P-521": frozenset({"ES512"})}
ALGORITHMS = _RSA_ALGORITHMS.union(*_EC_ALGORITHMS.values())
"""Every algorithm that a token may be signed with (S)."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key of a set. `members` are only the public members of its JWK."""

    kid: str | None
    algorithms: frozenset[str]
    members: Mapping[str, Any]
    _built: dict[str, Key] = field(default_factory=dict, compare=False, repr=False)

    def verified_payload(self, token: str, algorithm: str) -> bytes | None:
        """The token's payload if this key signed it with `algorithm`, else None."""
        if algorithm not in self.algorithms:
            return None
        key = self._built.get(algorithm)
        if key is None:
            key = self._built[algorithm] = jwk.construct(dict(self.members), algorithm)
        try:
            payload: bytes | str = jws.verify(token, key, algorithms=[algorithm])
        except (JOSEError, RecursionError):  # python-jose reads the header with a parser that recurses
            return None
        return payload.encode() if isinstance(payload, str) else payload


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of an issuer."""

    keys: Sequence[PublicKey]

    @classmethod
    def from_jwks(cls, jwks: Mapping[str, Any]) -> "KeySet":
        """The usable keys in a JWK set (RFC 7517); those for other purposes, or too weak, are skipped."""
        listed = jwks.get("keys")
        found = [_usable(each) for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        return cls(tuple(key for key in found if key is not None))

    def find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """The key of that name; without a name, the only key that fits the algorithm."""
        fitting = [key for key in self.keys if algorithm in key.algorithms and kid in (None, key.kid)]
        return fitting[0] if len(fitting) == 1 or (fitting and kid is not None) else None


def _usable(listed: Mapping[str, Any]) -> PublicKey | None:
    operations = listed.get("key_ops", ["verify"])
    if listed.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    match listed:
        case {"kty": "RSA", "n": str(n), "e": str(e)}:
            members, algorithms = {"kty": "RSA", "n": n, "e": e}, _RSA_ALGORITHMS
        case {"kty": "EC", "crv": str(curve), "x": str(x), "y": str(y)} if curve in _EC_ALGORITHMS:
            members, algorithms = {"kty": "EC", "crv": curve, "x": x, "y": y}, _EC_ALGORITHMS[curve]
        case _:
            return None
    if "alg" in listed:
        algorithms = frozenset(algorithm for algorithm in algorithms if algorithm == listed["alg"])
    kid = listed.get("kid")
    if not algorithms or not (kid is None or isinstance(kid, str)) or not _is_sound(members, min(algorithms)):
        return None
    return PublicKey(kid, algorithms, members)


def _is_sound(members: Mapping[str, Any], algorithm: str) -> bool:
    try:
        prepared: Any = vars(jwk.construct(dict(members), algorithm))["prepared_key"]
    except (JOSEError, ValueError):
        return False
    return not isinstance(prepared, RSAPublicKey) or prepared.key_size >= SMALLEST_RSA_BITS


class _PssKey(RSAKey):  # type: ignore[misc,valid-type]
    """RSASSA-PSS (RFC 7518, 3.5), which python-jose does not have: the salt is as long as the hash."""

    def __init__(self, key: Any, algorithm: str) -> None:
        super().__init__(key, algorithm.replace("PS", "RS"))

    def verify(self, msg: bytes, sig: bytes) -> bool:
        hash_algorithm: hashes.HashAlgorithm = self.hash_alg()
        pss = padding.PSS(mgf=padding.MGF1(hash_algorithm), salt_length=hash_algorithm.digest_size)
        try:
            self.prepared_key.verify(sig, msg, pss, hash_algorithm)
        except InvalidSignature:
            return False
        return True


for _name in ("PS256", "PS384", "PS512"):
    jwk.register_key(_name, _PssKey)
